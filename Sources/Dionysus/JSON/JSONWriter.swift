/// Appends JSON to a reusable byte buffer.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Appends existing JSON.
    package mutating func append(_ json: [UInt8]) { bytes.append(contentsOf: json) }

    /// Appends existing JSON.
    package mutating func append(_ json: ArraySlice<UInt8>) { bytes.append(contentsOf: json) }

    /// Clears the buffer and keeps its capacity.
    package mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    package mutating func write(_ value: JSON) {
        switch value {
        case .null: literal("null")
        case .bool(let value): literal(value ? "true" : "false")
        case .integer(let value): write(value)
        case .number(let digits): write(number: digits)
        case .string(let text): write(text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                write(member.name)
                bytes.append(UInt8(ascii: ":"))
                write(member.value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    package mutating func literal(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func write(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(48 + rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Writes a number from its digits.
    package mutating func write(number digits: String) { bytes.append(contentsOf: digits.utf8) }

    /// Writes a decimal number as a string, with its scale.
    package mutating func write(_ decimal: ExactDecimal) {
        guard var rest = UInt64(exactly: decimal.unscaled.magnitude), decimal.scale < 20 else {
            write(decimal.description)
            return
        }
        bytes.append(UInt8(ascii: "\""))
        if decimal.unscaled < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var digits = 0
        repeat {
            if digits == decimal.scale, digits > 0 { bytes.append(UInt8(ascii: ".")) }
            bytes.append(UInt8(48 + rest % 10))
            rest /= 10
            digits += 1
        } while rest > 0 || digits <= decimal.scale
        bytes[start...].reverse()
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes a time as ISO 8601 in UTC.
    package mutating func write(_ time: Timestamp, fractionDigits: Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 42) { buffer in
            buffer[0] = UInt8(ascii: "\"")
            let length = time.write(
                into: UnsafeMutableBufferPointer(rebasing: buffer[1...]),
                fractionDigits: fractionDigits
            )
            buffer[length + 1] = UInt8(ascii: "\"")
            bytes.append(contentsOf: buffer[...(length + 1)])
        }
    }

    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(utf8: $0) }
    }

    private mutating func write(utf8: UnsafeBufferPointer<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        for index in utf8.indices {
            let byte = utf8[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            bytes.append(contentsOf: utf8[start..<index])
            escape(byte)
            start = index + 1
        }
        bytes.append(contentsOf: utf8[start...])
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0c: bytes.append(UInt8(ascii: "f"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        case 0x00..<0x20:
            literal("u00")
            bytes.append(hexDigit(byte >> 4))
            bytes.append(hexDigit(byte & 15))
        default: bytes.append(byte)
        }
    }

    private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
}
