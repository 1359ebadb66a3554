import Dionysus

/// A part of the global order: which events it has, by their numbers of insertion.
struct EventStretch: Sendable {
    /// Events whose numbers of both kinds have no gap.
    private struct Run: Sendable {
        var sequence: Int64
        var first: Int64
        var last: Int64

        var lastSequence: Int64 { sequence + last - first }

        /// What lies between two global positions.
        func clipped(_ lowest: Int64, _ highest: Int64) -> Run? {
            var copy = self
            if sequence < lowest {
                copy.first += lowest - sequence
                copy.sequence = lowest
            }
            copy.last -= max(copy.lastSequence - highest, 0)
            return copy.first <= copy.last ? copy : nil
        }
    }

    private var runs: [Run] = []
    private var byNumber: [Run] = []

    /// More conditions than these make a statement slower than a look at each row's place.
    private static let mostConditions = 50

    /// Loads a part, or as much of it as there is.
    /// - Parameters:
    ///   - position: The global position after which it begins.
    ///   - last: The last global position that it can have.
    static func load(after position: Int64, through last: Int64, in transaction: inout Transaction) throws
        -> EventStretch
    {
        guard last > position else { return EventStretch() }
        let (first, count) = (position + 1, Int(last - position))
        let statement: SQL = """
            SELECT first_sequence, first_number, last_number FROM dionysus_event_order
            WHERE first_sequence <= \(last) AND first_sequence >= coalesce(
              (SELECT max(first_sequence) FROM dionysus_event_order WHERE first_sequence <= \(first)), 0
            )
            ORDER BY first_sequence LIMIT \(count)
            """
        return EventStretch(try runs(transaction.run(statement)).compactMap { $0.clipped(first, last) })
    }

    /// Loads the parts with some events.
    /// - Parameter numbers: Their numbers of insertion.
    static func load(numbers: [Int64], in transaction: inout Transaction) throws -> EventStretch {
        guard !numbers.isEmpty else { return EventStretch() }
        let rows = transaction.dialect.rows([BulkColumn("n", .integer, numbers.map(DatabaseValue.integer))], alias: "v")
        let statement: SQL = """
            SELECT DISTINCT o.first_sequence, o.first_number, o.last_number
            FROM \(rows) CROSS JOIN dionysus_event_order AS o
            WHERE o.last_number = (SELECT min(last_number) FROM dionysus_event_order WHERE last_number >= v.n)
            ORDER BY o.first_sequence
            """
        return EventStretch(try runs(transaction.run(statement)))
    }

    private init() {}

    private init(_ parts: [Run]) {
        for part in parts {
            if let end = runs.last, end.last + 1 == part.first, end.lastSequence + 1 == part.sequence {
                runs[runs.count - 1].last = part.last
            } else {
                runs.append(part)
            }
        }
        byNumber = runs.sorted { $0.first < $1.first }
    }

    /// Its last global position; nil if it is empty.
    var last: Int64? { runs.last?.lastSequence }

    /// The global position of the event with a number of insertion; nil if the part doesn't have it.
    func sequence(of number: Int64) -> Int64? {
        var (low, high) = (0, byNumber.count)
        while low < high {
            let middle = (low + high) / 2
            if byNumber[middle].last < number { low = middle + 1 } else { high = middle }
        }
        guard low < byNumber.count, byNumber[low].first <= number else { return nil }
        return byNumber[low].sequence + number - byNumber[low].first
    }

    /// A condition on events with the alias `e` that the part has them.
    var condition: SQL {
        guard let first = runs.first, let end = runs.last, let lowest = byNumber.first?.first,
            let highest = byNumber.last?.last
        else { return "false" }
        guard runs.count > Self.mostConditions else {
            let parts = byNumber.map { "e.number >= \($0.first) AND e.number <= \($0.last)" as SQL }
            return "(\(parts.joined(separator: " OR ")))"
        }
        return """
            e.number >= \(lowest) AND e.number <= \(highest) AND (
              SELECT o.first_number <= e.number AND o.first_sequence + e.number - o.first_number >= \(first.sequence)
                AND o.first_sequence + e.number - o.first_number <= \(end.lastSequence)
              FROM dionysus_event_order AS o WHERE o.last_number >= e.number ORDER BY o.last_number LIMIT 1
            )
            """
    }

    private static func runs(_ result: ResultSet) throws -> [Run] {
        try result.rows.map { row in
            guard let sequence = try row.integer(0), let first = try row.integer(1), let last = try row.integer(2)
            else { throw DionysusError(.malformed, "a row of dionysus_event_order lacks a value") }
            return Run(sequence: sequence, first: first, last: last)
        }
    }
}
