/// The parts of data, each read within the bytes that there are, and the bounds of what data may hold.
extension AvroRunner {
    /// How many elements the next block has; nil behind the last.
    @inlinable package mutating func block(minimumSize: Int) throws(AvroFault) -> Int? {
        let start = position
        var count = try long()
        if count == 0 { return nil }
        if count < 0 {
            guard count != .min else { throw AvroFault("a block's count is out of range", offset: start) }
            count = -count
            let size = try long()
            guard size >= 0, size <= bytes.count - position else {
                throw AvroFault("a block is said to have more bytes than there are", offset: start)
            }
        }
        if minimumSize > 0 {
            guard count <= (bytes.count - position) / minimumSize else {
                throw AvroFault("a block is said to have more elements than there are bytes for", offset: start)
            }
        } else {
            guard count <= free else { throw tooManyFree() }
            free -= Int(count)
        }
        return Int(count)
    }

    @inlinable package mutating func branch(_ op: AvroProgram.Op) throws(AvroFault) -> Int {
        let start = position
        let index = try int()
        guard index >= 0, index < op.b else {
            throw AvroFault("there is no such branch of the union, which has \(op.b)", offset: start)
        }
        return table[op.a + Int(index)]
    }

    @inlinable package mutating func symbol(_ op: AvroProgram.Op) throws(AvroFault) -> Int {
        let start = position
        let index = try int()
        guard index >= 0, index < op.b else {
            throw AvroFault("there is no such symbol of the enumeration, which has \(op.b)", offset: start)
        }
        let symbol = table[op.a + Int(index)]
        guard symbol >= 0 else {
            throw AvroFault(
                "the reader's enumeration has no symbol \(program.texts[op.d + Int(index)]), and no default",
                offset: start
            )
        }
        return symbol
    }

    @inlinable @inline(__always) package mutating func boolean() throws(AvroFault) -> Bool {
        guard position < bytes.count else { throw ended() }
        let byte = bytes[position]
        guard byte <= 1 else { throw fault("a boolean is neither 0 nor 1") }
        position += 1
        return byte == 1
    }

    @inlinable @inline(__always) package mutating func int() throws(AvroFault) -> Int32 {
        let start = position
        let value = try long()
        guard position - start <= 5, let int = Int32(exactly: value) else {
            throw AvroFault("an int has more than 32 bits", offset: start)
        }
        return int
    }

    @inlinable @inline(__always) package mutating func long() throws(AvroFault) -> Int64 {
        // Most numbers have one or two bytes.
        if bytes.count - position >= 2 {
            let first = bytes[position]
            if first < 0x80 {
                position += 1
                return Int64(first >> 1) ^ -Int64(first & 1)
            }
            let second = bytes[position + 1]
            if second < 0x80 {
                position += 2
                let value = Int64(first & 0x7f) | Int64(second) << 7
                return (value >> 1) ^ -(value & 1)
            }
        }
        return try longVarint()
    }

    @usableFromInline package mutating func longVarint() throws(AvroFault) -> Int64 {
        let start = position
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < bytes.count else { throw ended() }
            let byte = bytes[position]
            position += 1
            guard shift < 63 || byte <= 1 else { throw AvroFault("a long has more than 64 bits", offset: start) }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
            shift += 7
        }
    }

    @inlinable @inline(__always) package mutating func float() throws(AvroFault) -> Float {
        guard bytes.count - position >= 4 else { throw ended() }
        let bits = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
        position += 4
        return Float(bitPattern: UInt32(littleEndian: bits))
    }

    @inlinable @inline(__always) package mutating func double() throws(AvroFault) -> Double {
        guard bytes.count - position >= 8 else { throw ended() }
        let bits = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        position += 8
        return Double(bitPattern: UInt64(littleEndian: bits))
    }

    /// Bytes behind their number.
    @inlinable @inline(__always) package mutating func sized() throws(AvroFault) -> UnsafeRawBufferPointer {
        let start = position
        let count = try long()
        guard count >= 0, count <= bytes.count - position else {
            throw AvroFault(
                count < 0 ? "a length is below zero" : "a length is said to be more than the bytes that are left",
                offset: start
            )
        }
        return try take(Int(count))
    }

    @inlinable @inline(__always) package mutating func take(_ count: Int) throws(AvroFault) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - position else { throw ended() }
        let part = UnsafeRawBufferPointer(start: bytes.baseAddress?.advanced(by: position), count: count)
        position += count
        return part
    }

    // MARK: Bounds

    /// Goes one level deeper.
    @inlinable @inline(__always) package mutating func enter() throws(AvroFault) {
        guard depth < AvroLimits.depth else { throw fault("data is nested over \(AvroLimits.depth) levels") }
        depth += 1
    }

    @inlinable @inline(__always) package mutating func spend(_ count: Int) throws(AvroFault) {
        guard count <= free else { throw tooManyFree() }
        free -= count
    }

    @usableFromInline package func tooManyFree() -> AvroFault {
        fault("there are more values that take no bytes than are allowed")
    }
    @usableFromInline package func ended() -> AvroFault {
        AvroFault("the data ends before its schema does", offset: bytes.count)
    }
    @usableFromInline package func fault(_ message: String) -> AvroFault { AvroFault(message, offset: position) }

    /// A fault of the sink, which doesn't know where it is.
    @usableFromInline package func placed(_ fault: AvroFault, _ offset: Int) -> AvroFault {
        guard fault.offset == nil else { return fault }
        var fault = fault
        fault.offset = offset
        return fault
    }
}
