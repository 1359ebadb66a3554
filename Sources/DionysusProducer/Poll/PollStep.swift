import Dionysus

/// One batch of a poll, in the transaction that stores its position.
struct PollStep: Sendable {
    /// What a batch has come to.
    enum Outcome: Sendable, Hashable {
        /// It isn't time for the next round.
        case notDue
        /// Another process runs the poll.
        case taken
        /// The outbox has too many rows that wait.
        case waitsForRelay
        /// Some of the round is done.
        case found(Int)
        /// The round has ended.
        case finished
    }

    /// How many records a batch has.
    static let batchSize = 1_000

    let poll: PolledModel
    let registry: Registry
    let outbox: Outbox
    let maxPendingRows: Int

    private var statements: PollStatements { PollStatements(poll: poll, outbox: outbox) }

    /// Runs a batch.
    /// - Parameter isForced: Whether a round begins even if it isn't time for it.
    func run(isForced: Bool, in transaction: inout Transaction) throws -> Outcome {
        guard let row = try transaction.run(statements.claim()).first else {
            guard try transaction.run(statements.state()).isEmpty else { return .taken }
            try transaction.run(statements.creation())
            return .found(0)
        }
        var state = try PollState(row)
        guard isForced || state.isDue(every: poll.every) else { return .notDue }
        let waiting = try transaction.run(statements.pressure(limit: maxPendingRows)).first?.integer(0) ?? 0
        guard waiting < Int64(maxPendingRows) else { return .waitsForRelay }
        try transaction.run(outbox.support.seeingAllRows())
        let table = try PollTable(poll, RecordingPlan(poll.model, registry), outbox, in: &transaction)
        if state.roundUntil == nil {
            let mark = try transaction.run(statements.mark()).first?.text(0) ?? ""
            state.begin(poll, mark: mark)
            try noteFailures(table, in: &transaction)
        }
        let found = try batch(table, &state, in: &transaction)
        let isFinished = found == nil
        if isFinished { try finish(table, &state, in: &transaction) }
        try transaction.run(statements.store(state, found: found ?? 0))
        return found.map(Outcome.found) ?? .finished
    }

    /// Takes the next records into the outbox.
    /// - Returns: How many; nil if the round has no more.
    private func batch(
        _ table: PollTable,
        _ state: inout PollState,
        in transaction: inout Transaction
    ) throws -> Int? {
        switch poll.method.kind {
        case .time(let column, _, _): try timeBatch(table, column, &state, in: &transaction)
        case .state(let column, let published, let failed, let publishedAt):
            try stateBatch(table, column, [published, failed], publishedAt, in: &transaction)
        case .fullTable(let findsDeletions): try tableBatch(table, findsDeletions, &state, in: &transaction)
        }
    }

    private func timeBatch(
        _ table: PollTable,
        _ column: String,
        _ state: inout PollState,
        in transaction: inout Transaction
    ) throws -> Int? {
        if !state.isReread {
            let late = try table.late(
                state,
                column: column,
                records: statements.records,
                limit: Self.batchSize,
                in: &transaction
            )
            if !late.isEmpty {
                try record(late, table, in: &transaction)
                try transaction.run(statements.remember(late))
                return late.count
            }
            state.isReread = true
        }
        let found = try table.advanced(state, column: column, limit: Self.batchSize, in: &transaction)
        guard let last = found.last else { return nil }
        try record(found, table, in: &transaction)
        try transaction.run(statements.remember(found))
        (state.positionTime, state.positionKey) = (last.time, last.record.id)
        return found.count
    }

    private func stateBatch(
        _ table: PollTable,
        _ column: String,
        _ settled: [String],
        _ publishedAt: String?,
        in transaction: inout Transaction
    ) throws -> Int? {
        let found = try table.pending(column, settled, limit: Self.batchSize, in: &transaction)
        guard !found.isEmpty else { return nil }
        try record(found, table, in: &transaction)
        try transaction.run(
            table.setting(column, to: settled[0], of: found.map(\.record.id), time: publishedAt)
        )
        return found.count
    }

    private func tableBatch(
        _ table: PollTable,
        _ findsDeletions: Bool,
        _ state: inout PollState,
        in transaction: inout Transaction
    ) throws -> Int? {
        if !state.isReread {
            let found = try table.next(state, limit: Self.batchSize, in: &transaction)
            if let last = found.last {
                try record(found, table, in: &transaction)
                if findsDeletions {
                    let keys = found.flatMap { found in
                        table.plan.partitionKeys(of: found.record).map { (found.record.id, $0.topic, $0.partitionKey) }
                    }
                    if !keys.isEmpty { try transaction.run(statements.remember(keys, round: state.round)) }
                }
                state.positionKey = last.record.id
                return found.count
            }
            // From here on, what the round hasn't found is looked for.
            state.isReread = true
        }
        guard findsDeletions else { return nil }
        let missing = try transaction.run(statements.missing(before: state.round, limit: Self.batchSize)).rows
            .map { (topic: try $0.text(0) ?? "", key: try $0.text(1) ?? "", partitionKey: try $0.text(2)) }
        guard !missing.isEmpty else { return nil }
        // A topic that the model isn't published in any more gets no deletions.
        let rows = missing.filter { registry.publishes(poll.model.name, in: $0.topic) }
            .map { table.plan.deletion(of: $0.key, topic: $0.topic, partitionKey: $0.partitionKey) }
        try insert(rows, in: &transaction)
        try transaction.run(statements.forget(missing.map { ($0.topic, $0.key) }))
        return missing.count
    }

    private func finish(_ table: PollTable, _ state: inout PollState, in transaction: inout Transaction) throws {
        state.end(poll)
        guard case .time(let column, _, _) = poll.method.kind,
            let deletion = try table.forgetSettled(state, column: column, records: statements.records)
        else { return }
        try transaction.run(deletion)
    }

    /// Notes in the records' state which of them the relay has given up.
    private func noteFailures(_ table: PollTable, in transaction: inout Transaction) throws {
        guard case .state(let column, let published, let failed, _) = poll.method.kind, outbox.hasContext else {
            return
        }
        while true {
            let parked = try transaction.run(statements.parked(limit: Self.batchSize)).rows
                .map { (id: try $0.integer(0) ?? 0, record: try $0.text(1) ?? "") }
            guard !parked.isEmpty else { return }
            try transaction.run([
                try table.setting(column, to: failed, of: parked.map(\.record).withoutRepetitions, from: published),
                statements.noteFailures(parked.map(\.id)),
            ])
        }
    }

    private func record(_ found: [PollTable.Found], _ table: PollTable, in transaction: inout Transaction) throws {
        try insert(found.flatMap { table.plan.rows(for: $0.record) }, in: &transaction)
    }

    private func insert(_ rows: [RecordingPlan.Row], in transaction: inout Transaction) throws {
        guard !rows.isEmpty, let description = try transaction.describe(table: outbox.tables.path) else { return }
        let insertion = OutboxInsertion(support: outbox.support, dialect: outbox.dialect, outbox: description)
        try transaction.run(insertion.statement(rows, origin: statements.origin))
        if let wakeUp = try outbox.support.wakeUp(in: &transaction) { try transaction.run(wakeUp) }
    }
}
