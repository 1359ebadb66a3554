package import Dionysus

/// The order of the events of all streams: a number for each, from one, without gaps.
///
/// An event gets its number after its transaction has been committed, from whoever extends the order. So a transaction
/// that commits late makes no gap, is never skipped, and keeps no reader waiting; and all readers see one order, in which
/// each stream's events have the order of their positions.
package struct EventOrder: Sendable {
    /// Its first two parts are those of all locks here, so that the names of locks sort before those of projections.
    static let lock = "dionysus:events:order"

    /// The number of the last event that has one; 0 if none has.
    static let last: SQL = """
        coalesce((
          SELECT first_sequence + last_number - first_number FROM dionysus_event_order ORDER BY first_sequence DESC LIMIT 1
        ), 0)
        """

    /// Creates it.
    package init() {}

    /// Numbers committed events that have no number yet.
    ///
    /// One process at a time does so; the others wait.
    /// - Parameters:
    ///   - limit: How many events at most.
    ///   - transaction: The transaction, which should end soon: nobody else extends the order until then.
    /// - Returns: How many events got their numbers.
    /// - Throws: As ``/Dionysus/Transaction/run(_:)-(SQL)``.
    @discardableResult
    package func extend(upTo limit: Int = 50_000, in transaction: inout Transaction) throws -> Int {
        try extend(upTo: limit, seen: nil, in: &transaction)
    }

    private func extend(upTo limit: Int, seen mark: Int64?, in transaction: inout Transaction) throws -> Int {
        let lock = transaction.dialect.transactionLock(Self.lock)
        if !lock.isEmpty { try transaction.run(lock) }
        var marks = try OrderMarks.load(in: &transaction)
        let gaps = try EventGaps.load(in: &transaction)
        let late = try numbers(gaps.late, upTo: limit, in: &transaction)
        let column = BulkColumn("number", .integer, late.map(DatabaseValue.integer))
        // Events whose numbers of insertion have no gap share a row.
        let added = try transaction.run(
            """
            INSERT INTO dionysus_event_order (first_sequence, first_number, last_number)
            SELECT \(Self.last) + 1 + sum(size) OVER (ORDER BY first) - size, first, last
            FROM (
              SELECT min(number) AS first, max(number) AS last, count(*) AS size
              FROM (
                SELECT number, number - row_number() OVER (ORDER BY number) AS island
                FROM (
                  SELECT number FROM (
                    SELECT v.number FROM \(transaction.dialect.rows([column], alias: "v"))
                    UNION ALL SELECT number FROM (
                      SELECT e.number FROM dionysus_stream_events AS e WHERE \(gaps.new) ORDER BY e.number LIMIT \(limit)
                    ) AS n
                  ) AS a
                  ORDER BY number LIMIT \(limit)
                ) AS u
              ) AS i
              GROUP BY island
            ) AS s
            WHERE true ORDER BY first
            RETURNING last_number - first_number + 1
            """
        )
        let count = try added.rows.reduce(0) { try $0 + Int($1.integer(0) ?? 0) }
        if count > 0, count < limit { try marks.advance(seen: mark, in: &transaction) }
        return count
    }

    /// Numbers all committed events that have no number yet, in transactions of its own.
    /// - Parameters:
    ///   - database: The database with the streams.
    ///   - batchSize: How many events a transaction numbers at most.
    /// - Throws: As ``/Dionysus/Database/transaction(_:_:)``.
    package func extend(on database: any Database, batchSize: Int = 50_000) async throws {
        // Looked up first, so that those who find a complete order wait for nobody.
        while try await database.transaction(.snapshot, { try isIncomplete(in: &$0) }) {
            _ = try await database.retryingConcurrentWrites { transaction in
                let mark = try OrderMarks.mark(in: &transaction)
                return try extend(upTo: batchSize, seen: mark, in: &transaction)
            }
        }
    }

    private func isIncomplete(in transaction: inout Transaction) throws -> Bool {
        let gaps = try EventGaps.load(in: &transaction)
        return try !numbers([gaps.new] + gaps.late, upTo: 1, in: &transaction).isEmpty
    }

    private func numbers(_ conditions: [SQL], upTo limit: Int, in transaction: inout Transaction) throws -> [Int64] {
        let statements = conditions.map { condition -> SQL in
            "SELECT e.number FROM dionysus_stream_events AS e WHERE \(condition) ORDER BY e.number LIMIT \(limit)"
        }
        return try transaction.run(statements).flatMap { try $0.rows.compactMap { try $0.integer(0) } }
    }
}
