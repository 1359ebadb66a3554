import Dionysus

/// What a transaction has done.
struct PersistedBatch: Sendable {
    let applied: [AppliedEvent]
}

/// Writes a batch, its offset and the record of its failures in one transaction.
struct Persister: Sendable {
    let database: any Database
    let offsets: OffsetStore
    let failureLog: FailureLog

    /// Where a partition stands, and where it stands afterwards.
    struct Advance: Sendable {
        let partition: TopicPartition
        let stored: Int64?
        let next: Int64
    }

    /// Applies a batch.
    /// - Throws: ``PositionLost``, or what the database throws; nothing has been changed then.
    func persist(_ batch: BoundBatch, recording failures: [FailedMessage], _ advance: Advance) async throws
        -> PersistedBatch
    {
        do {
            return try await persist(batch, failures, advance, exclusive: [])
        } catch let undecided as Undecided {
            return try await persist(batch, failures, advance, exclusive: undecided.tables)
        }
    }

    /// A record that isn't known is to be remembered as destroyed, while another transaction may be creating it.
    private struct Undecided: Error {
        let tables: Set<String>
    }

    private func persist(
        _ batch: BoundBatch,
        _ failures: [FailedMessage],
        _ advance: Advance,
        exclusive: Set<String>
    ) async throws -> PersistedBatch {
        try await database.transaction(.write) { [offsets, failureLog] transaction in
            try offsets.advance(advance.partition, from: advance.stored, to: advance.next, in: &transaction)
            let dialect = transaction.dialect
            try Self.run(failureLog.statements(for: failures, dialect), in: &transaction)
            guard !batch.events.isEmpty else { return PersistedBatch(applied: []) }

            var set = try Self.load(batch, exclusive: exclusive, in: &transaction)
            let applied = set.apply(batch.events)
            let undecided = Self.undecided(set).subtracting(exclusive)
            if !undecided.isEmpty, dialect.excludesByLocks { throw Undecided(tables: exclusive.union(undecided)) }
            try Self.write(WriteStatements(set: set, dialect: dialect).all(), in: &transaction)
            return PersistedBatch(applied: applied)
        }
    }

    private static func load(
        _ batch: BoundBatch,
        exclusive: Set<String>,
        in transaction: inout Transaction
    ) throws -> WorkingSet {
        let statements = LoadStatements(batch: batch, dialect: transaction.dialect)
        let locks = statements.locks(exclusive: exclusive)
        let results = try transaction.run(locks + statements.rows())
        var set = WorkingSet(batch, rows: Array(results.dropFirst(locks.count)))
        let unknown = set.unknownRecords
        guard let query = statements.tombstones(of: unknown) else { return set }
        let tombstones = try transaction.run(query).rows
            .map { row in
                let place = unknown[Int(try row.integer(0) ?? 0)]
                return (table: place.table, number: place.number, tombstone: try Tombstone(row))
            }
        set.recall(tombstones)
        return set
    }

    private static func undecided(_ set: WorkingSet) -> Set<String> {
        Set(
            set.tables
                .filter { table in
                    table.records.contains { $0.original == nil && $0.tombstoneChanged && $0.tombstone != nil }
                }
                .map(\.layout.table.name)
        )
    }

    private static func write(_ statements: [WriteStatements.Statement], in transaction: inout Transaction) throws {
        guard !statements.isEmpty else { return }
        let results = try transaction.run(statements.map(\.sql))
        for (statement, result) in zip(statements, results) {
            guard let expected = statement.expectedRows, result.affectedRows != expected else { continue }
            throw DionysusError(
                .transactionConflict,
                "another transaction has written a record of the same batch",
                isRetriable: true
            )
        }
    }

    private static func run(_ statements: [SQL], in transaction: inout Transaction) throws {
        guard !statements.isEmpty else { return }
        try transaction.run(statements)
    }
}

extension SQLDialect {
    /// Whether transactions that write can run at the same time, so that locks have to keep them apart.
    fileprivate var excludesByLocks: Bool { !transactionLock("dionysus", shared: false).isEmpty }
}

extension WorkingSet {
    /// The records that were asked for and have no row.
    var unknownRecords: [(table: Int, number: Int)] {
        tables.indices.flatMap { table in
            tables[table].records.indices
                .filter { tables[table].records[$0].original == nil }
                .map { (table: table, number: $0) }
        }
    }
}
