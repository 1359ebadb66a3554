import Dionysus

/// Replaces rows by rows of the records that they affect.
///
/// It works in a short transaction of its own and not in the lane's, which lasts until the broker has answered: the ids it
/// draws become visible at once, hardly later than those that writers draw at the same time.
struct Expander: Sendable {
    /// What became of rows.
    struct Outcome: Sendable {
        /// The lanes of the new rows.
        var lanes: [Int] = []
        /// Rows whose records have been found and written.
        var done: Set<Int64> = []
        /// Rows that wait, because a table or a column on their way to other records is missing.
        var refused: [Int64: DionysusError] = [:]
        /// Rows that can't be expanded.
        var failed: [Int64: DionysusError] = [:]
    }

    let database: any CapturingDatabase
    let outbox: Outbox
    let expansions: Expansions
    /// How many records a change may publish at once.
    let inlineMaximum: Int
    /// Whether rows are deleted when they have been replaced.
    let deletesRows: Bool
    /// Publishes the records that rows affect by a run, where they are too many for one transaction.
    let startRun: @Sendable ([OutboxRow], [Expansion], inout Transaction) throws -> Void
    private let memory = ExpansionMemory()

    init(
        database: any CapturingDatabase,
        outbox: Outbox,
        expansions: Expansions,
        settings: ProducerSettings,
        startRun: @escaping @Sendable ([OutboxRow], [Expansion], inout Transaction) throws -> Void
    ) {
        self.database = database
        self.outbox = outbox
        self.expansions = expansions
        inlineMaximum = settings.observersInlineMaximumSize
        deletesRows = settings.deletesPublishedRows
        self.startRun = startRun
    }

    /// Writes the rows of the records that some rows affect, and settles those that are replaced by them.
    ///
    /// When a statement fails, the ways are tried one by one, and then the rows by halves.
    /// - Parameters:
    ///   - replaced: Rows that are replaced.
    ///   - withParents: Rows that are published themselves, and whose records are parts of others.
    /// - Returns: What became of them; nil if there was nothing to do.
    func expand(_ replaced: [OutboxRow], withParents: [OutboxRow]) async throws -> Outcome? {
        let parts = memory.new(withParents)
        let rows = replaced + parts
        guard !rows.isEmpty else { return nil }
        var outcome: Outcome
        do {
            outcome = Outcome(lanes: try await replace(rows, taking: replaced), done: Set(rows.map(\.id)))
        } catch let error as DionysusError where error.isOfStatement {
            outcome = try await expandOneByOne(rows, Set(replaced.map(\.id)))
        }
        memory.note(parts.filter { outcome.done.contains($0.id) })
        outcome.lanes = outcome.lanes.withoutRepetitions
        return outcome
    }

    /// Forgets rows that have been settled.
    func forget(_ rows: [OutboxRow]) { memory.forget(rows) }

    private func replace(_ rows: [OutboxRow], taking replaced: [OutboxRow]) async throws -> [Int] {
        try await database.transaction(.write) { [self] transaction in
            try transaction.run(outbox.support.seeingAllRows())
            return try replace(rows, taking: replaced, in: &transaction)
        }
    }

    private func replace(
        _ rows: [OutboxRow],
        taking replaced: [OutboxRow],
        in transaction: inout Transaction
    ) throws -> [Int] {
        let ids = replaced.map(\.id)
        let taken = try transaction.run(outbox.take(ids, deleting: deletesRows))
        guard taken.affectedRows == ids.count else {
            throw DionysusError(.transactionConflict, "another relay has taken the lane's rows", isRetriable: true)
        }
        return try expansions.ways(from: rows).flatMap { try insert(rows, by: $0, in: &transaction) }
    }

    /// Inserts the rows of one publication, or leaves them to a genesis run.
    /// - Returns: Their lanes.
    private func insert(
        _ rows: [OutboxRow],
        by ways: [Expansion],
        in transaction: inout Transaction
    ) throws -> [Int] {
        let count = try ObserverReach.count(rows, by: ways, upTo: inlineMaximum, in: &transaction)
        guard count <= inlineMaximum else {
            try startRun(rows, ways, &transaction)
            return []
        }
        guard count > 0 else { return [] }
        return try transaction.run(outbox.expand(rows, by: ways)).lanes()
    }

    // MARK: One by one

    private func expandOneByOne(_ rows: [OutboxRow], _ replaced: Set<Int64>) async throws -> Outcome {
        try await database.transaction(.write) { [self] transaction in
            try transaction.run(outbox.support.seeingAllRows())
            var outcome = Outcome()
            for ways in expansions.ways(from: rows) {
                // A statement about no rows shows whether it can be run at all.
                guard let error = try transaction.attempt({ try $0.run(outbox.expand([], by: ways)) }).failure else {
                    continue
                }
                for row in rows where ways.contains(where: { $0.applies(to: row) }) {
                    outcome.refused[row.id] = unreachable(ways[0].publication, from: row, error)
                }
            }
            let rest = rows.filter { outcome.refused[$0.id] == nil }
            try replaceByHalves(rest, replaced, &outcome, in: &transaction)
            return outcome
        }
    }

    private func replaceByHalves(
        _ rows: [OutboxRow],
        _ replaced: Set<Int64>,
        _ outcome: inout Outcome,
        in transaction: inout Transaction
    ) throws {
        guard !rows.isEmpty else { return }
        let taken = rows.filter { replaced.contains($0.id) }
        switch try transaction.attempt({ try replace(rows, taking: taken, in: &$0) }) {
        case .success(let lanes):
            outcome.lanes += lanes
            outcome.done.formUnion(rows.map(\.id))
        case .failure(let error):
            guard rows.count > 1 else {
                outcome.failed[rows[0].id] = error
                return
            }
            let middle = rows.count / 2
            try replaceByHalves(Array(rows[..<middle]), replaced, &outcome, in: &transaction)
            try replaceByHalves(Array(rows[middle...]), replaced, &outcome, in: &transaction)
        }
    }

    private func unreachable(
        _ publication: Registry.Publication,
        from row: OutboxRow,
        _ error: DionysusError
    ) -> DionysusError {
        DionysusError(
            .statement,
            "changes of \(row.resourceClass) can't be expanded to \(publication.model) in topic \(publication.topic): "
                + error.message,
            advice: error.adviceForWaitingRows,
            underlying: error
        )
    }
}
