import Dionysus
import GRDB

/// The topics that a member wants to read.
struct Subscription: Sendable {
    var topics: [String]
    var patterns: [String]

    /// The patterns, compiled.
    /// - Throws: ``DionysusError`` with code `configuration` for one that is no regular expression.
    static func compile(_ patterns: [String]) throws -> [Regex<AnyRegexOutput>] {
        try patterns.map { pattern in
            do {
                return try Regex(pattern)
            } catch {
                throw DionysusError(
                    .configuration,
                    "the topic pattern \(pattern) is no regular expression",
                    advice: "correct the pattern, for instance ^v3_.*",
                    underlying: error
                )
            }
        }
    }

    func save(for member: Int64, in connection: Connection) throws {
        for (names, isPattern) in [(topics, false), (patterns, true)] {
            for name in Set(names) {
                try connection.execute(
                    sql: "INSERT INTO subscriptions (member_id, name, is_pattern) VALUES (?, ?, ?)",
                    arguments: [member, name, isPattern]
                )
            }
        }
    }

    /// The partitions that each member of a group may own.
    static func partitions(ofGroup group: Int64, in connection: Connection) throws -> [Int64: Set<Int64>] {
        var result: [Int64: Set<Int64>] = [:]
        let members = try Int64.fetchAll(
            connection,
            sql: "SELECT id FROM members WHERE group_id = ?",
            arguments: [group]
        )
        for member in members {
            result[member] = try Set(
                Int64.fetchAll(
                    connection,
                    sql: """
                        SELECT p.id FROM subscriptions s
                        JOIN topics t ON t.name = s.name JOIN partitions p ON p.topic_id = t.id
                        WHERE s.member_id = ? AND NOT s.is_pattern
                        """,
                    arguments: [member]
                )
            )
            let patterns = try String.fetchAll(
                connection,
                sql: "SELECT name FROM subscriptions WHERE member_id = ? AND is_pattern",
                arguments: [member]
            )
            guard !patterns.isEmpty else { continue }
            let expressions = try compile(patterns)
            let rows = try Row.fetchCursor(
                connection,
                sql: "SELECT t.name, p.id FROM topics t JOIN partitions p ON p.topic_id = t.id"
            )
            while let row = try rows.next() {
                let topic: String = row[0]
                if expressions.contains(where: { topic.contains($0) }) { result[member]?.insert(row[1]) }
            }
        }
        return result
    }
}
