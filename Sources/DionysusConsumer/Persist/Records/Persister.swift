import Dionysus

/// What one transaction writes.
struct BatchWrite: Sendable {
    /// The events to be applied.
    var batch = BoundBatch()
    /// The statements that apply them if what is assumed of their records is true.
    var assumed: AssumedWrite?
    /// What the application does with them.
    var handlers = HandlerWork()
    /// The messages to be recorded as failed.
    var failures: [FailedMessage] = []
    /// What is recorded of earlier failures, as far as it concerns the messages.
    var earlier: EarlierFailures?
    /// What keeps the same messages from being applied again.
    let checkpoint: Checkpoint

    /// Whether loading the rows of records is the first that is done after the offset has been moved.
    var beginsWithRows: Bool {
        failures.isEmpty && handlers.areCalledLast && batch.parts.first?.events.isEmpty == false
    }
}

/// What a transaction changes together with the data, so that a message takes effect exactly once.
enum Checkpoint: Sendable {
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
    private let assumptions = RecordAssumptions()

    /// How often a batch is decided anew because of other transactions.
    private static let attempts = 10

    /// Makes statements of a batch of which something may be assumed, ahead of its turn.
    func assume(_ batch: BoundBatch) -> AssumedWrite? {
        assumptions.assumption(of: batch).flatMap { AssumedWrite(batch, $0, database.dialect) }
    }

    /// Applies a batch.
    /// - Returns: The events that were applied, in their order, or why nothing has been changed.
    /// - Throws: What the database and the application throw; nothing has been changed then.
    func write(_ batch: BatchWrite) async throws -> Verdict<AppliedEvents> {
        var batch = batch
        var exclusive: Set<String> = []
        for _ in 0..<Self.attempts {
            switch try await attempt(batch, exclusive: exclusive) {
            case .decided(let verdict): return verdict
            case .undecided(let tables): exclusive.formUnion(tables)
            case .overtaken: continue
            case .assumedWrongly: batch.assumed = nil
            }
        }
        throw DionysusError(
            .transactionConflict,
            "rows of the batch's records are there but are not found by their ids, or are written again and again",
            advice: "two models must not share a table, and ids must be read as they were written: not cut, padded or "
                + "compared without case"
        )
    }

    /// How one transaction ends.
    private enum Attempt<Value: Sendable>: Sendable {
        case decided(Verdict<Value>)
        /// A record that isn't known is to be remembered as destroyed, while another transaction may be creating it: the
        /// tables have to be locked for this one alone.
        case undecided(tables: Set<String>)
        /// Another transaction has written a record between its loading and its writing here.
        case overtaken
        /// What was assumed of records isn't true.
        case assumedWrongly
    }

    private func attempt(_ write: BatchWrite, exclusive: Set<String>) async throws -> Attempt<AppliedEvents> {
        try await database.write { [self] transaction in
            let dialect = transaction.dialect
            var preamble = Preamble()
            if let refusal = try begin(write.checkpoint, dialect, &preamble, in: &transaction) {
                return .rollBack(.decided(.refused(refusal)))
            }
            write.earlier?.settle(dialect, in: &preamble)
            do {
                if !write.beginsWithRows, case .refused(let refusal) = try preamble.run(in: &transaction) {
                    return .rollBack(.decided(.refused(refusal)))
                }
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
            var applied = AppliedEvents()
            for part in write.batch.parts {
                let part = part.without(repeated)
                let attempt =
                    if let assumed = write.assumed, repeated.isEmpty, assumptions.stands(assumed.assumption, of: part) {
                        try self.write(assumed, of: part, &preamble, in: &transaction)
                    } else {
                        try Self.writeRecords(of: part, exclusive: exclusive, &preamble, in: &transaction)
                    }
                guard case .decided(.done(let events)) = attempt else { return .rollBack(attempt) }
                applied += events
            }
            try write.handlers.run(except: repeated, in: &transaction)
            return .commit(.decided(.done(applied)))
        }
    }

    /// Begins what keeps the same messages from taking effect again.
    func begin(
        _ checkpoint: Checkpoint,
        _ dialect: any SQLDialect,
        _ preamble: inout Preamble,
        in transaction: inout Transaction
    ) throws -> Refusal? {
        switch checkpoint {
        case .advance(let cursor, let next, let mark):
            offsets.advance(cursor, to: next, mark: mark, dialect, in: &preamble)
        case .resolve(let resolution): return try resolution.resolve(in: &transaction)
        case .replay(let place, let next, let places):
            places.advance(place, to: next, mark: nil, dialect, in: &preamble)
        case .nothing: break
        }
        return nil
    }

    private static func writeRecords(
        of batch: BoundBatch,
        exclusive: Set<String>,
        _ preamble: inout Preamble,
        in transaction: inout Transaction
    ) throws -> Attempt<AppliedEvents> {
        let dialect = transaction.dialect
        guard !batch.events.isEmpty else {
            let actions = ApplicationActions(set: nil, delegated: batch.delegated)
            return .decided(.done(AppliedEvents(try actions.run(after: [], in: &transaction))))
        }
        var set: WorkingSet
        let applied: [AppliedEvent]
        do {
            switch try load(batch, exclusive: exclusive, &preamble, in: &transaction) {
            case .done(let loaded): set = loaded
            case .refused(let refusal): return .decided(.refused(refusal))
            }
            applied = set.apply(batch.events)
            let undecided = undecided(set).subtracting(exclusive)
            if !undecided.isEmpty, dialect.excludesByLocks { return .undecided(tables: undecided) }
            let statements = WriteStatements(set: set, dialect: dialect).all()
            guard try changesAll(statements, in: &transaction) else { return .overtaken }
        } catch {
            throw DionysusError.ofReplicas(error, [batch])
        }
        let actions = ApplicationActions(set: set, delegated: batch.delegated)
        return .decided(.done(AppliedEvents(try actions.run(after: applied, in: &transaction))))
    }

    /// Writes records of which something is assumed, and looks only then whether it was true.
    ///
    /// Rows are loaded in the same round trip, before they change. What is remembered of destructions is asked for
    /// afterwards: a transaction that an insertion has waited for has ended by then. An error decides nothing, because the
    /// rows that are there may have to change first.
    private func write(
        _ assumed: AssumedWrite,
        of batch: BoundBatch,
        _ preamble: inout Preamble,
        in transaction: inout Transaction
    ) throws -> Attempt<AppliedEvents> {
        let loading = LoadStatements(batch: batch, dialect: transaction.dialect)
        let locks = loading.locks(exclusive: [])
        let rows = assumed.assumption == .known ? loading.rows() : []
        let tombstones = assumed.assumption != .known ? batch.layouts.indices.map(loading.anyTombstone) : []
        let writing = locks + rows + assumed.statements.map(\.sql) + tombstones
        var loaded = batch.withoutRows
        let isTrue: Bool
        do {
            switch try preamble.run(before: writing, in: &transaction) {
            case .refused(let refusal): return .decided(.refused(refusal))
            case .done(let results):
                let results = results.dropFirst(locks.count)
                if !rows.isEmpty { loaded = Array(results.prefix(rows.count)) }
                isTrue =
                    Self.haveChangedAll(assumed.statements, results.dropFirst(rows.count))
                    && results.suffix(tombstones.count).allSatisfy(\.isEmpty)
                    && (rows.isEmpty || batch.hasJust(loaded))
            }
        } catch let error as DionysusError where error.code != .databaseUnavailable && error.code != .timeout {
            isTrue = false
        }
        assumptions.note(assumed.assumption, of: batch, wasRight: isTrue)
        guard isTrue else { return .assumedWrongly }
        if let rows = assumed.newRows { return .decided(.done(AppliedEvents(allOf: rows))) }
        if assumed.assumption == .known { return .decided(.done(AppliedEvents(allOf: batch, rows: loaded))) }
        var set = WorkingSet(batch, rows: loaded[...])
        let applied = set.apply(batch.events)
        let actions = ApplicationActions(set: set, delegated: batch.delegated)
        return .decided(.done(AppliedEvents(try actions.run(after: applied, in: &transaction))))
    }

    private static func load(
        _ batch: BoundBatch,
        exclusive: Set<String>,
        _ preamble: inout Preamble,
        in transaction: inout Transaction
    ) throws -> Verdict<WorkingSet> {
        let statements = LoadStatements(batch: batch, dialect: transaction.dialect)
        let locks = statements.locks(exclusive: exclusive)
        let growing = statements.growing
        let loading = locks + statements.rows() + growing.map(statements.anyTombstone)
        let results: [ResultSet]
        switch try preamble.run(before: loading, in: &transaction) {
        case .done(let found): results = found
        case .refused(let refusal): return .refused(refusal)
        }
        var set = WorkingSet(batch, rows: results[locks.count..<(results.count - growing.count)])
        let without = Set(zip(growing, results.suffix(growing.count)).filter { $0.1.isEmpty }.map(\.0))
        let inQuestion = set.recordsInQuestion(batch.events)
            .filter { !$0.numbers.isEmpty && !without.contains($0.table) }
        guard !inQuestion.isEmpty else { return .done(set) }
        let found = try transaction.run(inQuestion.map { statements.tombstones(of: $0.numbers, in: $0.table) })
        for (asked, result) in zip(inQuestion, found) {
            for row in result.rows {
                let number = asked.numbers[Int(try row.integer(0) ?? 0)]
                set.recall(try Destruction(row), asked.table, number)
            }
        }
        return .done(set)
    }

    private static func undecided(_ set: WorkingSet) -> Set<String> {
        Set(
            set.tables
                .filter { table in
                    table.records.contains { $0.hasNewDestruction && $0.original == nil && $0.row == nil }
                }
                .map(\.layout.table.name)
        )
    }

    /// - Returns: Whether each statement has changed as many rows as it has to.
    private static func changesAll(
        _ statements: [WriteStatements.Statement],
        in transaction: inout Transaction
    ) throws -> Bool {
        guard !statements.isEmpty else { return true }
        let results = try transaction.run(statements.map(\.sql))
        return haveChangedAll(statements, results[...])
    }

    private static func haveChangedAll(
        _ statements: [WriteStatements.Statement],
        _ results: ArraySlice<ResultSet>
    ) -> Bool {
        zip(statements, results).allSatisfy { $0.expectedRows == nil || $0.expectedRows == $1.affectedRows }
    }

    private static func run(_ statements: [SQL], in transaction: inout Transaction) throws {
        guard !statements.isEmpty else { return }
        try transaction.run(statements)
    }
}

extension SQLDialect {
    /// Whether transactions that write can run at the same time, so that locks have to keep them apart.
    var excludesByLocks: Bool { !transactionLock("dionysus").isEmpty }
}

extension WorkingSet {
    /// The records of each replica for which a remembered destruction may matter: those that were asked for and have no
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
