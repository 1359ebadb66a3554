/// How data is skipped that the reader doesn't know, and how many bytes data takes at least.
extension Resolution {
    mutating func skip(_ place: Int) -> Int {
        if let op = skips[place] { return op }
        let index = ops.count
        ops.append(Op(.fail, a: text("types are nested over \(Self.maximumDepth) levels")))
        skips[place] = index
        guard depth < Self.maximumDepth else { return index }
        depth += 1
        defer { depth -= 1 }
        ops[index] =
            switch writer.types[place].kind {
            case .null: Op(.skipFixed)
            case .boolean: Op(.skipBoolean)
            case .int, .enumeration: Op(.skipInt)
            case .long: Op(.skipLong)
            case .float: Op(.skipFixed, a: 4)
            case .double: Op(.skipFixed, a: 8)
            case .bytes, .string: Op(.skipSized)
            case .fixed(let fixed): Op(.skipFixed, a: fixed.size)
            case .array(let items): Op(.skipArray, a: skip(items), b: minimumSize(items))
            case .map(let values): Op(.skipMap, a: skip(values), b: 1 + minimumSize(values))
            case .union(let branches): skipUnion(branches)
            case .record(let record): skipRecord(record)
            }
        return index
    }

    private mutating func skipUnion(_ branches: [Int]) -> Op {
        let choices = branches.map { skip($0) }
        table += choices
        return Op(.skipUnion, a: table.count - choices.count, b: choices.count)
    }

    private mutating func skipRecord(_ record: AvroRecordType) -> Op {
        let parts = record.fields.map { AvroProgram.Step(op: skip($0.type), field: -1, name: text($0.name)) }
        steps += parts
        let free = record.fields.count { minimumSize($0.type) == 0 }
        return Op(.skipRecord, a: steps.count - parts.count, b: parts.count, d: free)
    }

    // MARK: Sizes

    /// How many bytes data of a type takes at least.
    mutating func minimumSize(_ place: Int, _ side: Side = .writer) -> Int {
        // The program's own defaults are no input, whose size would say how much there can be.
        guard side == .writer else { return 0 }
        if let size = sizes[place] { return size }
        guard depth < 2 * Self.maximumDepth else { return 0 }
        depth += 1
        defer { depth -= 1 }
        // What a record that contains itself takes at least is less than it takes.
        sizes[place] = 0
        let size: Int
        switch writer.types[place].kind {
        case .null: size = 0
        case .boolean, .int, .long, .bytes, .string, .array, .map, .enumeration: size = 1
        case .float: size = 4
        case .double: size = 8
        case .fixed(let fixed): size = fixed.size
        case .union(let branches): size = 1 + (branches.map { minimumSize($0) }.min() ?? 0)
        case .record(let record):
            size = record.fields.reduce(0) { size, field in min(size + minimumSize(field.type), 1 << 40) }
        }
        sizes[place] = size
        return size
    }
}
