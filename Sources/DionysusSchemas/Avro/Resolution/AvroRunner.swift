/// Reads one datum from bytes by a program.
///
/// Whatever the bytes are, nothing outside of them is read, and no more is handed on than they can hold.
@usableFromInline package struct AvroRunner {
    @usableFromInline package let program: AvroProgram
    // The program's own memory, which lives as long as the run: its places are right, and need no check at each step.
    @usableFromInline package let ops: UnsafeBufferPointer<AvroProgram.Op>
    @usableFromInline package let steps: UnsafeBufferPointer<AvroProgram.Step>
    @usableFromInline package let table: UnsafeBufferPointer<Int>
    @usableFromInline package let bytes: UnsafeRawBufferPointer
    @usableFromInline package var position = 0
    @usableFromInline package var depth = 0
    /// How many values without bytes may still come.
    @usableFromInline package var free: Int

    @inlinable package init(
        _ program: AvroProgram,
        ops: UnsafeBufferPointer<AvroProgram.Op>,
        steps: UnsafeBufferPointer<AvroProgram.Step>,
        table: UnsafeBufferPointer<Int>,
        bytes: UnsafeRawBufferPointer
    ) {
        self.program = program
        self.ops = ops
        self.steps = steps
        self.table = table
        self.bytes = bytes
        free = AvroLimits.freeValues + bytes.count * AvroLimits.freeValuesPerByte
    }

    /// Reads a datum.
    /// - Returns: How many bytes it has.
    @inlinable package static func run<Sink: AvroSink>(
        _ program: AvroProgram,
        _ bytes: UnsafeRawBufferPointer,
        into sink: inout Sink
    ) throws(AvroFault) -> Int {
        try program.ops.withUnsafeBufferPointer { (ops) throws(AvroFault) in
            try program.steps.withUnsafeBufferPointer { (steps) throws(AvroFault) in
                try program.table.withUnsafeBufferPointer { (table) throws(AvroFault) in
                    var runner = AvroRunner(program, ops: ops, steps: steps, table: table, bytes: bytes)
                    try runner.run(program.root, into: &sink)
                    return runner.position
                }
            }
        }
    }

    /// Reads the data of one op.
    ///
    /// It stands within the loops over fields and elements, where most ops are scalars that need no call.
    @inlinable @inline(__always) package mutating func run<Sink: AvroSink>(
        _ index: Int,
        into sink: inout Sink
    ) throws(AvroFault) {
        let op = ops[index]
        switch op.code {
        case .null: try sink.null(op.type)
        case .boolean: try sink.boolean(boolean(), op.type)
        case .int: try sink.int(int(), op.type)
        case .long: try sink.long(long(), op.type)
        case .float: try sink.float(float(), op.type)
        case .double: try sink.double(double(), op.type)
        case .bytes, .stringToBytes: try sink.bytes(sized(), op.type)
        case .string, .bytesToString:
            let start = position
            let text = try sized()
            do throws(AvroFault) { try sink.string(text, op.type) } catch { throw placed(error, start) }
        case .intToLong: try sink.long(Int64(int()), op.type)
        case .intToFloat: try sink.float(Float(int()), op.type)
        case .intToDouble: try sink.double(Double(int()), op.type)
        case .longToFloat: try sink.float(Float(long()), op.type)
        case .longToDouble: try sink.double(Double(long()), op.type)
        case .floatToDouble: try sink.double(Double(float()), op.type)
        case .fixed: try sink.fixed(take(op.a), op.type)
        case .enumeration: try sink.enumeration(symbol(op), op.type)
        case .array: try array(op, into: &sink)
        case .map: try map(op, into: &sink)
        case .record: try record(op, into: &sink)
        case .writerUnion: try union(op, into: &sink)
        case .readerBranch: try readerBranch(op, into: &sink)
        case .stored: try stored(op, into: &sink)
        case .fail: throw fault(program.texts[op.a])
        case .skipBoolean, .skipInt, .skipLong, .skipSized, .skipFixed, .skipArray, .skipMap, .skipRecord, .skipUnion:
            try skip(index)
        }
    }

    @inlinable package mutating func record<Sink: AvroSink>(_ op: AvroProgram.Op, into sink: inout Sink)
        throws(AvroFault)
    {
        try enter()
        try spend(op.d)
        try sink.beginRecord(op.type)
        for place in op.a..<(op.a + op.b) {
            let step = steps[place]
            do throws(AvroFault) {
                if step.field >= 0 {
                    try sink.field(step.field)
                    try run(step.op, into: &sink)
                } else {
                    try skip(step.op)
                }
            } catch {
                throw placed(error, position).within(.field(program.texts[step.name]))
            }
        }
        try sink.endRecord()
        depth -= 1
    }

    @inlinable package mutating func union<Sink: AvroSink>(_ op: AvroProgram.Op, into sink: inout Sink)
        throws(AvroFault)
    {
        try run(branch(op), into: &sink)
    }

    @inlinable package mutating func readerBranch<Sink: AvroSink>(
        _ op: AvroProgram.Op,
        into sink: inout Sink
    ) throws(AvroFault) {
        try sink.branch(op.a, of: op.type)
        try run(op.b, into: &sink)
    }

    @inlinable package mutating func array<Sink: AvroSink>(_ op: AvroProgram.Op, into sink: inout Sink)
        throws(AvroFault)
    {
        try enter()
        try sink.beginArray(op.type)
        var index = 0
        while let count = try block(minimumSize: op.b) {
            for _ in 0..<count {
                do throws(AvroFault) {
                    try run(op.a, into: &sink)
                } catch {
                    throw placed(error, position).within(.element(index))
                }
                index += 1
            }
        }
        try sink.endArray()
        depth -= 1
    }

    @inlinable package mutating func map<Sink: AvroSink>(_ op: AvroProgram.Op, into sink: inout Sink) throws(AvroFault)
    {
        try enter()
        try sink.beginMap(op.type)
        var index = 0
        while let count = try block(minimumSize: op.b) {
            for _ in 0..<count {
                let start = position
                do throws(AvroFault) {
                    let key = try sized()
                    do throws(AvroFault) { try sink.key(key) } catch { throw placed(error, start) }
                    try run(op.a, into: &sink)
                } catch {
                    throw placed(error, position).within(.entry(index))
                }
                index += 1
            }
        }
        try sink.endMap()
        depth -= 1
    }

    /// Hands on a default.
    @inlinable package mutating func stored<Sink: AvroSink>(_ op: AvroProgram.Op, into sink: inout Sink)
        throws(AvroFault)
    {
        let depth = depth
        try program.stored[op.a]
            .withUnsafeBufferPointer { (bytes) throws(AvroFault) in
                var runner = AvroRunner(
                    program,
                    ops: ops,
                    steps: steps,
                    table: table,
                    bytes: UnsafeRawBufferPointer(bytes)
                )
                runner.depth = depth
                try runner.run(op.b, into: &sink)
            }
    }

    // MARK: Data that the reader doesn't know

    @usableFromInline package mutating func skip(_ index: Int) throws(AvroFault) {
        let op = ops[index]
        switch op.code {
        case .skipBoolean: _ = try boolean()
        case .skipInt: _ = try int()
        case .skipLong: _ = try long()
        case .skipSized: _ = try sized()
        case .skipFixed: _ = try take(op.a)
        case .skipArray, .skipMap: try skipBlocks(op)
        case .skipRecord:
            try enter()
            try spend(op.d)
            for place in op.a..<(op.a + op.b) {
                let step = steps[place]
                do throws(AvroFault) {
                    try skip(step.op)
                } catch {
                    throw placed(error, position).within(.field(program.texts[step.name]))
                }
            }
            depth -= 1
        case .skipUnion: try skip(branch(op))
        default: throw fault("the plan is wrong")
        }
    }

    private mutating func skipBlocks(_ op: AvroProgram.Op) throws(AvroFault) {
        try enter()
        while true {
            let start = position
            let announced = try long()
            if announced == 0 { break }
            if announced < 0 {
                let size = try long()
                guard size >= 0, size <= bytes.count - position else {
                    throw AvroFault("a block is said to have more bytes than there are", offset: start)
                }
                position += Int(size)
                continue
            }
            position = start
            guard let count = try block(minimumSize: op.b) else { break }
            for _ in 0..<count {
                if op.code == .skipMap { _ = try sized() }
                try skip(op.a)
            }
        }
        depth -= 1
    }

    // MARK: Parts

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
