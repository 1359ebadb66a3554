import NIOCore

/// Kafka's encoding of texts, lists and numbers in non-"flexible" request versions.
extension ByteBuffer {
    mutating func text() -> String? {
        guard let count = readInteger(as: Int16.self), count >= 0 else { return nil }
        return readString(length: Int(count))
    }

    mutating func blob() -> [UInt8]? {
        guard let count = readInteger(as: Int32.self), count >= 0 else { return nil }
        return readBytes(length: Int(count))
    }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T { readInteger(as: type) ?? 0 }

    /// A list; nil if it is null.
    mutating func list<T>(_ element: (inout ByteBuffer) -> T) -> [T]? {
        guard let count = readInteger(as: Int32.self), count >= 0, count < 100_000 else { return nil }
        return (0..<count).map { _ in element(&self) }
    }

    mutating func put(_ text: String?) {
        guard let text else { return put(Int16(-1)) }
        put(Int16(text.utf8.count))
        writeString(text)
    }

    mutating func put(_ bytes: [UInt8]) {
        put(Int32(bytes.count))
        writeBytes(bytes)
    }

    mutating func put<T: FixedWidthInteger>(_ number: T) { writeInteger(number) }

    mutating func put<T>(_ list: some Collection<T>, _ element: (inout ByteBuffer, T) -> Void) {
        put(Int32(list.count))
        for item in list { element(&self, item) }
    }

    /// A number in records: zigzag, seven bits per byte.
    mutating func putVariable(_ number: Int) {
        var bits = UInt(bitPattern: number << 1 ^ number >> (Int.bitWidth - 1))
        while bits > 0x7f {
            put(UInt8(truncatingIfNeeded: bits) | 0x80)
            bits >>= 7
        }
        put(UInt8(bits))
    }
}
