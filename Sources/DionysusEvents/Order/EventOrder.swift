public import Dionysus

/// The order of the events of all streams: a number for each, from one, without gaps.
///
/// An event gets its number after its transaction has been committed, from whoever extends the order. So a transaction
/// that commits late makes no gap, is never skipped, and keeps no reader waiting; and all readers see one order, in which
/// each stream's events have the order of their positions.
public struct EventOrder: Sendable {
    /// Its first two parts are those of all locks here, so that the names of locks sort before those of projections.
    static let lock = "dionysus:events:order"

    /// Creates it.
    public init() {}

    /// Numbers committed events that have no number yet.
    ///
    /// One process at a time does so; the others wait.
    /// - Parameters:
    ///   - limit: How many events at most.
    ///   - transaction: The transaction, which should end soon: nobody else extends the order until then.
    /// - Returns: How many events got their numbers.
    /// - Throws: As ``Dionysus/Transaction/run(_:)``.
    @discardableResult
    public func extend(upTo limit: Int = 10_000, in transaction: inout Transaction) throws -> Int {
        let lock = transaction.dialect.transactionLock(Self.lock)
        if !lock.isEmpty { try transaction.run(lock) }
        return
            try transaction.run(
                """
                UPDATE dionysus_stream_events SET sequence = o.sequence
                FROM (
                  SELECT u.number, (SELECT coalesce(max(sequence), 0) FROM dionysus_stream_events)
                    + row_number() OVER (ORDER BY u.number) AS sequence
                  FROM (
                    SELECT number FROM dionysus_stream_events WHERE sequence IS NULL ORDER BY number LIMIT \(limit)
                  ) AS u
                ) AS o
                WHERE dionysus_stream_events.number = o.number
                """
            )
            .affectedRows
    }

    /// Numbers all committed events that have no number yet, in transactions of its own.
    /// - Parameters:
    ///   - batchSize: How many events a transaction numbers at most.
    /// - Throws: As ``Dionysus/Database/transaction(_:_:)``.
    public func extend(on database: any Database, batchSize: Int = 10_000) async throws {
        // Looked up first, so that those who find a complete order wait for nobody.
        while try await database.transaction(.snapshot, { try isIncomplete(in: &$0) }) {
            _ = try await database.retryingConcurrentWrites { try extend(upTo: batchSize, in: &$0) }
        }
    }

    private func isIncomplete(in transaction: inout Transaction) throws -> Bool {
        try !transaction.run("SELECT 1 FROM dionysus_stream_events WHERE sequence IS NULL LIMIT 1").isEmpty
    }
}

extension EventStore {
    /// Reads events of all streams in their global order.
    ///
    /// Only events that have their numbers: extend the order (``EventOrder``) for those that have been appended since.
    /// - Parameters:
    ///   - position: The global position after which to begin; 0 for the beginning.
    ///   - categories: The categories of the streams; empty for all.
    ///   - limit: How many events at most.
    ///   - transaction: The caller's transaction.
    /// - Throws: As ``read(_:from:through:reversed:limit:in:)``.
    public func readAll(
        after position: Int64,
        categories: Set<String> = [],
        limit: Int,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        try EventRows.read(allStatement(after: position, through: nil, categories, limit), types, in: &transaction)
    }

    /// Reads events of all streams up to a position.
    func readAll(
        after position: Int64,
        through last: Int64,
        categories: Set<String>,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        try EventRows.read(allStatement(after: position, through: last, categories, nil), types, in: &transaction)
    }

    private func allStatement(after position: Int64, through last: Int64?, _ categories: Set<String>, _ limit: Int?)
        -> SQL
    {
        var statement: SQL = """
            SELECT \(EventRows.columns) FROM dionysus_stream_events AS e WHERE e.sequence > \(position)
            """
        if let last { statement += " AND e.sequence <= \(last)" }
        if !categories.isEmpty { statement += " AND \(Self.isIn(categories, "e.stream"))" }
        statement += " ORDER BY e.sequence"
        if let limit { statement += " LIMIT \(limit)" }
        return statement
    }

    /// A condition that a stream is in one of the categories.
    static func isIn(_ categories: Set<String>, _ stream: SQL) -> SQL {
        let conditions = categories.sorted()
            .map { category -> SQL in
                let prefix = category + "-"
                return
                    "substr(\(stream), 1, \(raw: "\(prefix.unicodeScalars.count)")) = \(prefix) OR \(stream) = \(category)"
            }
        return "(\(conditions.joined(separator: " OR ")))"
    }
}
