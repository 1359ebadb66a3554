/// Finds out how data of a writer's schema is read as data of a reader's, and what is in the way.
///
/// Each pair of types is looked at once, so that types which contain themselves come to an end.
struct Resolution {
    typealias Op = AvroProgram.Op

    /// Types of the writer, or of the reader for defaults, which are written in the reader's own schema.
    enum Side: Hashable { case writer, reader }

    struct Pair: Hashable {
        let side: Side
        let from: Int
        let to: Int
    }

    private enum Attempt {
        case success(Int)
        case failure(AvroIncompatibility)
    }

    let writer: AvroSchema
    let reader: AvroSchema
    /// What keeps data from being read.
    var faults: [AvroIncompatibility] = []
    /// What keeps some data from being read, which is found out when it comes.
    var risks: [AvroIncompatibility] = []
    private var root: Int?
    var ops: [Op] = []
    var steps: [AvroProgram.Step] = []
    var table: [Int] = []
    var stored: [[UInt8]] = []
    var texts: [String] = []
    private var found: [Pair: Int] = [:]
    /// The pairs of ``found`` in the order in which they were begun.
    private var trail: [Pair] = []
    private var failed: [Pair: AvroIncompatibility] = [:]
    var skips: [Int: Int] = [:]
    var sizes: [Int: Int] = [:]
    var depth = 0
    static let maximumDepth = 500

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

    mutating func text(_ text: String) -> Int {
        texts.append(text)
        return texts.count - 1
    }

    // MARK: Pairs

    /// - Returns: The place of the op; nil if there is none, with the reason among the faults.
    mutating func resolve(_ pair: Pair, path: String) -> Int? {
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
}
