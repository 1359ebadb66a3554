/// Where comparisons stand in an SQL text: whether they choose the rows that a value depends on.
struct SQLConditions {
    private typealias Token = SQLTokens.Token

    private let tokens: [Token]
    /// The comparisons that also choose rows, each on its own.
    private let links: Set<Int>
    /// The parenthesis that each token stands in, itself outside its own; nil outside of all.
    private let parents: [Int?]

    /// - Parameters:
    ///   - links: The operators of comparisons of the given row's columns with those that belong to it.
    init(_ tokens: [SQLTokens.Token], links: Set<Int>) {
        self.tokens = tokens
        self.links = links
        var open: [Int] = []
        parents = tokens.indices.map { index in
            switch tokens[index] {
            case .symbol("("):
                defer { open.append(index) }
                return open.last
            case .symbol(")"):
                open.removeLast(min(1, open.count))
                return open.last
            default: return open.last
            }
        }
    }

    /// Whether only rows for which a comparison holds can count.
    ///
    /// It must be a condition of a query, without a negation around it. Each alternative beside it has to choose rows, too, and
    /// nothing may count or cut the rows of a subquery before it chooses among them.
    /// - Parameter index: The comparison's operator.
    func decides(_ index: Int) -> Bool {
        guard !isAfterCut(index) else { return false }
        var place = index
        while true {
            guard let clause = clause(around: place) else { return false }
            switch clause {
            case .condition: return true
            case .group(let parenthesis): place = parenthesis
            }
        }
    }

    private enum Clause {
        /// `WHERE`, `ON` or `HAVING`.
        case condition
        /// A parenthesis of conditions.
        case group(Int)
    }

    /// What a comparison belongs to, or a parenthesis of comparisons; nil if something else decides, too.
    private func clause(around place: Int) -> Clause? {
        let siblings = tokens.indices.filter { parents[$0] == parents[place] }
        guard let end = end(siblings.filter { $0 > place }) else { return nil }
        var (cases, isOwnTerm, start) = (0, true, -1)
        var clause: Clause?
        scan: for index in siblings.reversed() where index < place {
            guard case .name(let word) = tokens[index] else { continue }
            switch word {
            case "end": cases += 1
            case "case" where cases > 0: cases -= 1
            case _ where cases > 0: break
            case "where", "on", "having":
                (clause, start) = (.condition, index)
                break scan
            case "and", "or": isOwnTerm = false
            // `NOT IN` is a part of the comparison itself.
            case "not" where isOwnTerm && !(index + 1 == place && tokens[place] == .name("in")): return nil
            case "xor", "case", "when", "then", "else", "select", "from", "values": return nil
            default: break
            }
        }
        if clause == nil, let parenthesis = parents[place], isCondition(parenthesis) { clause = .group(parenthesis) }
        let terms = siblings.filter { $0 > start && $0 < end }.split { tokens[$0] == .name("or") }
        return terms.count == 1 || terms.allSatisfy { $0.contains(where: links.contains) } ? clause : nil
    }

    /// Where the condition ends that stands in front of tokens; nil if it is a part of something else.
    private func end(_ siblings: [Int]) -> Int? {
        var cases = 0
        for index in siblings {
            guard case .name(let word) = tokens[index] else { continue }
            if word == "case" { cases += 1 }
            if word == "end" {
                // That of a `CASE` around the comparison.
                guard cases > 0 else { return nil }
                cases -= 1
            }
            if cases > 0 { continue }
            if word == "xor" { return nil }
            let isFunction = index + 1 < tokens.count && tokens[index + 1] == .symbol("(")
            if Self.ends.contains(word), !(isFunction && ["left", "right"].contains(word)) { return index }
        }
        return tokens.count
    }

    /// Whether a parenthesis holds conditions, and not the arguments of a function or a list.
    private func isCondition(_ parenthesis: Int) -> Bool {
        guard parenthesis > 0 else { return false }
        return [.symbol("("), .name("and"), .name("where"), .name("on"), .name("having")]
            .contains(tokens[parenthesis - 1])
    }

    /// Whether a subquery that the comparison's query reads from counts rows, or takes some of them, without it.
    private func isAfterCut(_ index: Int) -> Bool {
        tokens.indices.contains { cut in
            guard case .name(let word) = tokens[cut], Self.cuts.contains(word) else { return false }
            var parent = parents[cut]
            while let parenthesis = parent {
                parent = parents[parenthesis]
                guard parent == parents[index], parenthesis > 0 else { continue }
                return Self.sources.contains(tokens[parenthesis - 1])
            }
            return false
        }
    }

    /// Words that a condition ends at.
    private static let ends: Set<String> = [
        "group", "order", "limit", "offset", "fetch", "having", "union", "intersect", "except", "window", "where",
        "join",
        "left", "right", "inner", "full", "cross", "natural",
    ]
    private static let cuts: Set<String> = ["over", "limit", "offset", "fetch"]
    private static let sources: Set<Token> = [
        .name("from"), .name("join"), .name("lateral"), .name("as"), .name("materialized"), .symbol(","),
    ]
}
