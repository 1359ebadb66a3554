/// Finds out how data of a writer's schema is read as data of a reader's, and what is in the way.
///
/// Each pair of types is looked at once, so that types which contain themselves come to an end.
struct Resolution {
    private typealias Op = AvroProgram.Op

    /// Types of the writer, or of the reader for defaults, which are written in the reader's own schema.
    private enum Side: Hashable { case writer, reader }

    private struct Pair: Hashable {
        let side: Side
        let from: Int
        let to: Int
    }

    private enum Attempt {
        case success(Int)
        case failure(AvroIncompatibility)
    }

    private let writer: AvroSchema
    private let reader: AvroSchema
    /// What keeps data from being read.
    private(set) var faults: [AvroIncompatibility] = []
    /// What keeps some data from being read, which is found out when it comes.
    private(set) var risks: [AvroIncompatibility] = []
    private var root: Int?
    private var ops: [Op] = []
    private var steps: [AvroProgram.Step] = []
    private var table: [Int] = []
    private var stored: [[UInt8]] = []
    private var texts: [String] = []
    private var found: [Pair: Int] = [:]
    /// The pairs of ``found`` in the order in which they were begun.
    private var trail: [Pair] = []
    private var failed: [Pair: AvroIncompatibility] = [:]
    private var skips: [Int: Int] = [:]
    private var sizes: [Int: Int] = [:]
    private var depth = 0
    private static let maximumDepth = 500

    init(writer: AvroSchema, reader: AvroSchema) {
        self.writer = writer
        self.reader = reader
        root = resolve(Pair(side: .writer, from: writer.root, to: reader.root), path: "")
    }

    /// The program; nil if there are faults.
    mutating func program() -> AvroProgram? {
        guard let root, faults.isEmpty else { return nil }
        return AvroProgram(
            root: root,
            ops: ops,
            steps: steps,
            table: table,
            stored: stored,
            texts: texts,
            minimumSize: minimumSize(writer.root)
        )
    }

    private func from(_ pair: Pair) -> AvroType { (pair.side == .writer ? writer : reader).types[pair.from] }
    private func to(_ pair: Pair) -> AvroType { reader.types[pair.to] }

    // MARK: Pairs

    /// - Returns: The place of the op; nil if there is none, with the reason among the faults.
    private mutating func resolve(_ pair: Pair, path: String) -> Int? {
        if let op = found[pair] { return op }
        if let reason = failed[pair] {
            faults.append(reason)
            return nil
        }
        guard depth < Self.maximumDepth else {
            return fail(pair, path, "types are nested over \(Self.maximumDepth) levels")
        }
        depth += 1
        defer { depth -= 1 }
        let place = ops.count
        ops.append(Op(.fail))
        found[pair] = place
        trail.append(pair)
        let count = faults.count
        guard let op = op(pair, path: path), faults.count == count else {
            found[pair] = nil
            if faults.count > count { failed[pair] = faults[count] }
            return nil
        }
        ops[place] = op
        return place
    }

    private mutating func fail<T>(_ pair: Pair, _ path: String, _ reason: String) -> T? {
        faults.append(AvroIncompatibility(path: path, reason: reason))
        return nil
    }

    /// Resolves a pair, and keeps nothing of it if that fails.
    private mutating func attempt(_ pair: Pair, path: String) -> Attempt {
        let (faultCount, riskCount, trailCount) = (faults.count, risks.count, trail.count)
        let op = resolve(pair, path: path)
        if let op, faults.count == faultCount { return .success(op) }
        let reason = faults.count > faultCount ? faults[faultCount] : nil
        faults.removeLast(faults.count - faultCount)
        risks.removeLast(risks.count - riskCount)
        // What was found on the way may rest on a pair that has failed since.
        for pair in trail[trailCount...] { found[pair] = nil }
        trail.removeLast(trail.count - trailCount)
        return .failure(reason ?? AvroIncompatibility(path: path, reason: "it can't be read"))
    }

    private mutating func op(_ pair: Pair, path: String) -> Op? {
        let (from, to) = (from(pair), to(pair))
        if case .union(let branches) = from.kind { return writerUnion(branches, pair, path: path) }
        if case .union(let branches) = to.kind { return readerUnion(branches, pair, path: path) }
        if let reason = Self.mismatch(from, to) { return fail(pair, path, reason) }
        switch (from.kind, to.kind) {
        case (.fixed(let fixed), .fixed): return Op(.fixed, a: fixed.size, type: pair.to)
        case (.enumeration(let from), .enumeration(let to)): return enumeration(from, to, pair, path: path)
        case (.array(let fromItems), .array(let toItems)):
            let items = Pair(side: pair.side, from: fromItems, to: toItems)
            guard let op = resolve(items, path: path + "[]") else { return nil }
            return Op(.array, a: op, b: minimumSize(fromItems, pair.side), type: pair.to)
        case (.map(let fromValues), .map(let toValues)):
            let values = Pair(side: pair.side, from: fromValues, to: toValues)
            guard let op = resolve(values, path: path + "{}") else { return nil }
            return Op(.map, a: op, b: 1 + minimumSize(fromValues, pair.side), type: pair.to)
        case (.record(let from), .record(let to)): return record(from, to, pair, path: path)
        default:
            guard let code = Self.code(from.kind, to.kind) else { return fail(pair, path, Self.unread(from, to)) }
            return Op(code, type: pair.to)
        }
    }

    private static func code(_ from: AvroType.Kind, _ to: AvroType.Kind) -> Op.Code? {
        switch (from, to) {
        case (.null, .null): .null
        case (.boolean, .boolean): .boolean
        case (.int, .int): .int
        case (.long, .long): .long
        case (.float, .float): .float
        case (.double, .double): .double
        case (.bytes, .bytes): .bytes
        case (.string, .string): .string
        case (.int, .long): .intToLong
        case (.int, .float): .intToFloat
        case (.int, .double): .intToDouble
        case (.long, .float): .longToFloat
        case (.long, .double): .longToDouble
        case (.float, .double): .floatToDouble
        case (.string, .bytes): .stringToBytes
        case (.bytes, .string): .bytesToString
        default: nil
        }
    }

    private static func unread(_ from: AvroType, _ to: AvroType) -> String {
        "\(from.name ?? from.kind.word), as it was written, can't be read as \(to.name ?? to.kind.word)"
    }

    /// What two types that are no unions don't have in common, as far as it shows without looking into them.
    private static func mismatch(_ from: AvroType, _ to: AvroType) -> String? {
        switch (from.kind, to.kind) {
        case (.record, .record), (.enumeration, .enumeration), (.fixed, .fixed):
            let name = from.name ?? ""
            let names = [to.name ?? ""] + to.aliases
            guard names.contains(where: { own($0) == own(name) }) else {
                return "the writer's name is \(name), the reader's \(names[0]), and no alias is the writer's"
            }
            if case .fixed(let from) = from.kind, case .fixed(let to) = to.kind, from.size != to.size {
                return "\(from.name) was written with \(from.size) bytes and is read with \(to.size)"
            }
        case (.array, .array), (.map, .map): break
        default: if code(from.kind, to.kind) == nil { return unread(from, to) }
        }
        guard let written = from.logical, let read = to.logical, written != read else { return nil }
        switch (written, read) {
        case (.timestampMillis, .localTimestampMillis), (.localTimestampMillis, .timestampMillis): return nil
        case (.timestampMicros, .localTimestampMicros), (.localTimestampMicros, .timestampMicros): return nil
        case (.timestampNanos, .localTimestampNanos), (.localTimestampNanos, .timestampNanos): return nil
        default: return "\(written.word) was written, and the same number means something else as \(read.word)"
        }
    }

    /// A name without its namespace.
    private static func own(_ name: String) -> Substring {
        name.lastIndex(of: ".").map { name[name.index(after: $0)...] } ?? name[...]
    }

    // MARK: Unions

    private mutating func writerUnion(_ branches: [Int], _ pair: Pair, path: String) -> Op? {
        var choices: [Int] = []
        var reasons: [AvroIncompatibility] = []
        for branch in branches {
            let branchPair = Pair(side: pair.side, from: branch, to: pair.to)
            switch attempt(branchPair, path: path) {
            case .success(let op): choices.append(op)
            case .failure(let reason):
                reasons.append(reason)
                ops.append(Op(.fail, a: text(reason.reason)))
                choices.append(ops.count - 1)
            }
        }
        guard reasons.count < branches.count || branches.isEmpty else {
            faults.append(contentsOf: reasons.prefix(1))
            return nil
        }
        risks += reasons
        table += choices
        return Op(.writerUnion, a: table.count - choices.count, b: choices.count, type: pair.to)
    }

    private mutating func readerUnion(_ branches: [Int], _ pair: Pair, path: String) -> Op? {
        let from = from(pair)
        func isExact(_ to: AvroType) -> Bool { from.kind.word == to.kind.word && from.name == to.name }
        var reasons: [AvroIncompatibility] = []
        for exactly in [true, false] {
            for (index, branch) in branches.enumerated() where isExact(reader.types[branch]) == exactly {
                guard Self.mismatch(from, reader.types[branch]) == nil else { continue }
                switch attempt(Pair(side: pair.side, from: pair.from, to: branch), path: path) {
                case .success(let op): return Op(.readerBranch, a: index, b: op, type: pair.to)
                case .failure(let reason): reasons.append(reason)
                }
            }
        }
        if let reason = reasons.first {
            faults.append(reason)
            return nil
        }
        return fail(pair, path, "the reader's union has no branch that reads \(from.name ?? from.kind.word)")
    }

    // MARK: Types with names

    private mutating func enumeration(
        _ from: AvroEnumerationType,
        _ to: AvroEnumerationType,
        _ pair: Pair,
        path: String
    ) -> Op {
        let fallback = to.defaultSymbol.flatMap { to.places[$0] }
        let symbols = from.symbols.map { to.places[$0] ?? fallback ?? -1 }
        for (symbol, place) in zip(from.symbols, symbols) where place < 0 {
            risks.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the reader's \(to.name) has no symbol \(symbol), and no default"
                )
            )
        }
        table += symbols
        texts += from.symbols
        return Op(
            .enumeration,
            a: table.count - symbols.count,
            b: symbols.count,
            type: pair.to,
            d: texts.count - symbols.count
        )
    }

    private mutating func record(_ from: AvroRecordType, _ to: AvroRecordType, _ pair: Pair, path: String) -> Op? {
        let targets = targets(from, to)
        var result: [AvroProgram.Step] = []
        var free = 0
        for (index, field) in from.fields.enumerated() {
            let name = text(field.name)
            if minimumSize(field.type, pair.side) == 0 { free += 1 }
            guard let target = targets[index] else {
                result.append(AvroProgram.Step(op: skip(field.type), field: -1, name: name))
                continue
            }
            let fieldPair = Pair(side: pair.side, from: field.type, to: to.fields[target].type)
            // A fault of one field doesn't hide those of the others.
            guard let op = resolve(fieldPair, path: "\(path)\(path.isEmpty ? "" : ".")\(to.fields[target].name)") else {
                continue
            }
            result.append(AvroProgram.Step(op: op, field: target, name: name))
        }
        let read = Set(targets.compactMap { $0 })
        for (index, field) in to.fields.enumerated() where !read.contains(index) {
            guard let (op, size) = defaultOp(field, path: "\(path)\(path.isEmpty ? "" : ".")\(field.name)") else {
                continue
            }
            result.append(AvroProgram.Step(op: op, field: index, name: text(field.name)))
            free += 1 + size
        }
        steps += result
        return Op(.record, a: steps.count - result.count, b: result.count, type: pair.to, d: free)
    }

    /// Which of the reader's fields takes the data of each of the writer's: by name, and where there is none by alias.
    private func targets(_ from: AvroRecordType, _ to: AvroRecordType) -> [Int?] {
        var targets: [Int?] = from.fields.map { to.places[$0.name] }
        for (index, field) in to.fields.enumerated() where from.places[field.name] == nil {
            let source = field.aliases.lazy.compactMap { from.places[$0] }.first { targets[$0] == nil }
            if let source { targets[source] = index }
        }
        return targets
    }

    private mutating func defaultOp(_ field: AvroRecordType.Field, path: String) -> (op: Int, size: Int)? {
        guard let value = field.defaultValue else {
            faults.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the writer has no such field, and the reader no default for it"
                )
            )
            return nil
        }
        var encoder = DefaultEncoder(schema: reader, takesAnyBranch: true)
        do throws(AvroFault) {
            try encoder.encode(value, field.type)
        } catch {
            faults.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the writer has no such field, and the default is wrong: \(error.message)"
                )
            )
            return nil
        }
        guard let op = resolve(Pair(side: .reader, from: field.type, to: field.type), path: path) else { return nil }
        let bytes = encoder.writer.bytes
        stored.append(bytes)
        ops.append(Op(.stored, a: stored.count - 1, b: op, type: field.type))
        return (ops.count - 1, bytes.count)
    }

    private mutating func text(_ text: String) -> Int {
        texts.append(text)
        return texts.count - 1
    }

    // MARK: Data that the reader doesn't know

    private mutating func skip(_ place: Int) -> Int {
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
    private mutating func minimumSize(_ place: Int, _ side: Side = .writer) -> Int {
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
