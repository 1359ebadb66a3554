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
}
