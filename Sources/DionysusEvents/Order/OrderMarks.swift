import Dionysus

/// Up to which number of insertion everything has its place in the order.
///
/// A number below those that have places belongs to a transaction that was rolled back, or to one that is still open. The
/// mark remembers the highest number with a place. A later transaction, which has got its own number since, adds that: it is
/// above those of all that may have drawn a lower number of insertion. Once all transactions before that one have ended,
/// nothing below the mark can appear any more.
struct OrderMarks {
    private var closed: Int64
    private var marked: Int64?
    private var transaction: Int64?
    private let current: Int64
    private let oldest: Int64

    static func load(in transaction: inout Transaction) throws -> OrderMarks {
        let dialect = transaction.dialect
        let row =
            try transaction.run(
                """
                SELECT closed_number, marked_number, marked_transaction, \(dialect.transactionNumber),
                  \(dialect.oldestTransaction)
                FROM dionysus_event_marks
                """
            )
            .first
        guard let row, let closed = try row.integer(0), let current = try row.integer(3),
            let oldest = try row.integer(4)
        else {
            throw DionysusError(.malformed, "dionysus_event_marks has no row", advice: "run migrate")
        }
        return OrderMarks(
            closed: closed,
            marked: try row.integer(1),
            transaction: try row.integer(2),
            current: current,
            oldest: oldest
        )
    }

    /// The mark, for the first statement of a transaction: the transaction gets its number afterwards.
    static func mark(in transaction: inout Transaction) throws -> Int64? {
        try transaction.run("SELECT marked_number FROM dionysus_event_marks").first?.integer(0)
    }

    /// Moves the marks, after everything that was committed when they were loaded got its place.
    /// - Parameter seen: The mark that the transaction has seen before it got its number; nil if it hasn't looked.
    mutating func advance(seen: Int64?, in transaction: inout Transaction) throws {
        let highest = try transaction.run("SELECT max(last_number) FROM dionysus_event_order").first?.integer(0)
        if let marked, let number = self.transaction, number <= oldest {
            closed = marked
            self.marked = nil
        } else if marked != nil {
            // A number from the future is another server's, from which the database was restored.
            guard seen == marked, self.transaction.map({ $0 > current }) ?? true else { return }
            self.transaction = current
        }
        if marked == nil {
            self.transaction = nil
            if let highest, highest > closed { marked = highest }
        }
        try transaction.run(
            """
            UPDATE dionysus_event_marks SET closed_number = \(closed), marked_number = \(marked.databaseValue),
              marked_transaction = \(self.transaction.databaseValue)
            """
        )
    }
}
