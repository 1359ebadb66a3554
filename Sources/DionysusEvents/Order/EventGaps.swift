import Dionysus

/// Where events without a place in the order can be: between the numbers of those that have one, and above them.
struct EventGaps: Sendable {
    private var gaps: [(low: Int64, high: Int64)] = []
    /// The highest number of insertion that has a place.
    private var highest: Int64 = 0

    /// A statement with more conditions takes longer than two statements.
    private static let mostConditions = 50

    static func load(in transaction: inout Transaction) throws -> EventGaps {
        let rows = try transaction.run(
            """
            SELECT low, high FROM (
              SELECT last_number + 1 AS low, lead(first_number) OVER (ORDER BY first_number) - 1 AS high
              FROM (
                SELECT first_number, last_number FROM dionysus_event_order
                WHERE last_number > (SELECT closed_number FROM dionysus_event_marks)
                UNION ALL SELECT closed_number, closed_number FROM dionysus_event_marks
              ) AS k
            ) AS g
            WHERE high IS NULL OR low <= high ORDER BY low
            """
        )
        var found = EventGaps()
        for row in rows.rows {
            guard let low = try row.integer(0) else { continue }
            if let high = try row.integer(1) { found.gaps.append((low, high)) } else { found.highest = low - 1 }
        }
        return found
    }

    /// Conditions on events with the alias `e`, each for a statement of its own, for those that were committed late.
    ///
    /// They name the numbers: joined with a list of gaps, the server would rather scan the whole table.
    var late: [SQL] {
        stride(from: 0, to: gaps.count, by: Self.mostConditions)
            .map { start in
                let conditions = gaps[start..<min(start + Self.mostConditions, gaps.count)]
                    .map { "e.number >= \($0.low) AND e.number <= \($0.high)" as SQL }
                return "(\(conditions.joined(separator: " OR ")))"
            }
    }

    /// A condition for those above all that have a place.
    var new: SQL { "e.number > \(highest)" }
}
