import Dionysus

/// What a transaction has done.
struct PersistedBatch: Sendable {
    let applied: [AppliedEvent]
}

/// What one transaction writes.
struct BatchWrite: Sendable {
    /// The events to be applied.
    var batch = BoundBatch()
    /// What the application does with them.
    var handlers = HandlerWork()
    /// The messages to be recorded as failed.
    var failures: [FailedMessage] = []
    /// What is recorded of earlier failures, as far as it concerns the messages.
    var earlier: EarlierFailures?
    /// What keeps the same messages from being applied again.
    let completion: Completion

    /// Whether loading the rows of records is the first that is done after the offset has been moved.
    var beginsWithRows: Bool {
        failures.isEmpty && handlers.areCalledLast && batch.parts.first?.events.isEmpty == false
    }
}

/// What a transaction changes together with the data, so that a message takes effect exactly once.
enum Completion: Sendable {
    /// The offset of the messages' partition, or of their lane, moves past them.
    case advance(OffsetCursor, to: Int64, mark: LogMark?)
    /// The failure that holds the message is removed.
    case resolve(FailureResolution)
    /// The place in a dead-letter topic up to which its messages have been replayed moves past the message.
    case replay(OffsetCursor, to: Int64, OffsetStore)
    /// Nothing: they are applied once more on purpose.
    case nothing
}

/// Writes a batch, its offset and the record of its failures in one transaction.
struct Persister: Sendable {
    let database: any Database
    let offsets: OffsetStore
    let failureLog: FailureLog

    /// Applies a batch.
    /// - Throws: ``PositionLost``, or what the database throws; nothing has been changed then.
    func persist(_ write: BatchWrite) async throws -> PersistedBatch {
        var exclusive: Set<String> = []
        for _ in 0..<Self.attempts {
            do {
                return try await persist(write, exclusive: exclusive)
            } catch let undecided as Undecided {
                exclusive.formUnion(undecided.tables)
            } catch is Overtaken {
                continue
            }
        }
        throw DionysusError(
            .transactionConflict,
            "rows of the batch's records are there but are not found by their ids, or are written again and again",
            advice: "two models must not share a table, and ids must be read as they were written: not cut, padded or "
                + "compared without case"
        )
    }

    /// How often a batch is decided anew because of other transactions.
    private static let attempts = 10

    /// A record that isn't known is to be remembered as destroyed, while another transaction may be creating it.
    private struct Undecided: Error {
        let tables: Set<String>
    }

    /// Another transaction has written a record between its loading and its writing here.
    private struct Overtaken: Error {}

    private func persist(_ write: BatchWrite, exclusive: Set<String>) async throws -> PersistedBatch {
        try await database.transaction(.write) { [offsets, failureLog] transaction in
            let dialect = transaction.dialect
            var opening = Opening()
            switch write.completion {
            case .advance(let cursor, let next, let mark):
                offsets.advance(cursor, to: next, mark: mark, dialect, in: &opening)
            case .resolve(let resolution): try resolution.resolve(in: &transaction)
            case .replay(let place, let next, let places):
                places.advance(place, to: next, mark: nil, dialect, in: &opening)
            case .nothing: break
            }
            write.earlier?.settle(dialect, in: &opening)
            do {
                if !write.beginsWithRows { _ = try opening.run(in: &transaction) }
            } catch {
                throw DionysusError.ofReplicas(error, [])
            }
            try write.handlers.begin(in: &transaction)
            do {
                try Self.run(failureLog.statements(for: write.failures, dialect), in: &transaction)
            } catch {
                throw DionysusError.ofReplicas(error, [])
            }
            let repeated = try write.handlers.admit(in: &transaction)
            var applied: [AppliedEvent] = []
            for part in write.batch.parts {
                applied += try Self.apply(part.without(repeated), exclusive: exclusive, &opening, in: &transaction)
            }
            try write.handlers.run(except: repeated, in: &transaction)
            return PersistedBatch(applied: applied)
        }
    }

    private static func apply(
        _ batch: BoundBatch,
        exclusive: Set<String>,
        _ opening: inout Opening,
        in transaction: inout Transaction
    ) throws -> [AppliedEvent] {
        let dialect = transaction.dialect
        guard !batch.events.isEmpty else {
            return try OwnActions(set: nil, handovers: batch.handovers).run(after: [], in: &transaction)
        }
        var set: WorkingSet
        let applied: [AppliedEvent]
        do {
            set = try load(batch, exclusive: exclusive, &opening, in: &transaction)
            applied = set.apply(batch.events)
            let undecided = undecided(set).subtracting(exclusive)
            if !undecided.isEmpty, dialect.excludesByLocks { throw Undecided(tables: exclusive.union(undecided)) }
            try write(WriteStatements(set: set, dialect: dialect).all(), in: &transaction)
        } catch {
            throw DionysusError.ofReplicas(error, [batch])
        }
        return try OwnActions(set: set, handovers: batch.handovers).run(after: applied, in: &transaction)
    }

    private static func load(
        _ batch: BoundBatch,
        exclusive: Set<String>,
        _ opening: inout Opening,
        in transaction: inout Transaction
    ) throws -> WorkingSet {
        let statements = LoadStatements(batch: batch, dialect: transaction.dialect)
        let locks = statements.locks(exclusive: exclusive)
        let growing = statements.growing
        let loading = locks + statements.rows() + growing.map(statements.anyTombstone)
        let results = try opening.run(before: loading, in: &transaction)
        var set = WorkingSet(batch, rows: results[locks.count..<(results.count - growing.count)])
        let without = Set(zip(growing, results.suffix(growing.count)).filter { $0.1.isEmpty }.map(\.0))
        let inQuestion = set.recordsInQuestion(batch.events)
            .filter { !$0.numbers.isEmpty && !without.contains($0.table) }
        guard !inQuestion.isEmpty else { return set }
        let found = try transaction.run(inQuestion.map { statements.tombstones(of: $0.numbers, in: $0.table) })
        for (asked, result) in zip(inQuestion, found) {
            for row in result.rows {
                let number = asked.numbers[Int(try row.integer(0) ?? 0)]
                set.recall(try Tombstone(row), asked.table, number)
            }
        }
        return set
    }

    private static func undecided(_ set: WorkingSet) -> Set<String> {
        Set(
            set.tables
                .filter { table in
                    table.records.contains { $0.tombstoneChanged && $0.original == nil && $0.row == nil }
                }
                .map(\.layout.table.name)
        )
    }

    private static func write(_ statements: [WriteStatements.Statement], in transaction: inout Transaction) throws {
        guard !statements.isEmpty else { return }
        let results = try transaction.run(statements.map(\.sql))
        for (statement, result) in zip(statements, results) {
            guard let expected = statement.expectedRows, result.affectedRows != expected else { continue }
            throw Overtaken()
        }
    }

    private static func run(_ statements: [SQL], in transaction: inout Transaction) throws {
        guard !statements.isEmpty else { return }
        try transaction.run(statements)
    }
}

extension SQLDialect {
    /// Whether transactions that write can run at the same time, so that locks have to keep them apart.
    fileprivate var excludesByLocks: Bool { !transactionLock("dionysus").isEmpty }
}

extension WorkingSet {
    /// The records of each replica of which a remembered destruction may have a say: those that were asked for and have no
    /// row, and known ones that an event destroys without saying when, which may have been created again since.
    func recordsInQuestion(_ events: [BoundEvent]) -> [(table: Int, numbers: [Int])] {
        var undated = [Set<Int>](repeating: [], count: tables.count)
        for event in events where event.record.event.isUndated {
            undated[event.record.table].insert(event.record.number)
        }
        return tables.indices.map { table in
            let records = tables[table].records
            let numbers = records.indices.filter { records[$0].original == nil || undated[table].contains($0) }
            return (table, numbers)
        }
    }
}
