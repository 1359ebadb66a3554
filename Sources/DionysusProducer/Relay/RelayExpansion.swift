import Dionysus

/// Rows that are replaced by rows of the records which they affect.
extension RelayPipeline {
    /// Replaces rows by rows of the records that they affect.
    ///
    /// This is a short transaction of its own and not a part of the lane's, which lasts until the broker has answered: the
    /// ids it draws become visible at once, hardly later than those that writers draw beside it.
    ///
    /// When a statement fails, the ways are tried one by one, and then the rows by halves. A way that leads nowhere, because
    /// a table or a column is gone, is the models' that it begins at: their rows wait.
    func expand(_ batch: inout Batch) async throws {
        let timing = telemetry.metrics.begin(.expand)
        defer { timing.end() }
        let parts = expansionMemory.new(batch.withParents)
        let rows = batch.replaced + parts
        guard !rows.isEmpty else { return }
        do {
            let lanes = try await replace(rows, taking: batch.replaced)
            expansionMemory.note(parts)
            onExpanded(lanes)
            try await accept(batch.replaced, except: [])
        } catch let error as DionysusError where error.isOfStatement {
            try await expandApart(rows, parts, in: &batch)
        }
    }

    /// Inserts the rows of the affected records, and settles those that they replace.
    /// - Returns: The lanes of the new rows.
    private func replace(_ rows: [OutboxRow], taking replaced: [OutboxRow]) async throws -> [Int] {
        try await database.transaction(.write) { [self] transaction in
            try transaction.run(outbox.support.seeingAllRows())
            return try replace(rows, taking: replaced, in: &transaction)
        }
        .withoutRepetitions
    }

    private func replace(
        _ rows: [OutboxRow],
        taking replaced: [OutboxRow],
        in transaction: inout Transaction
    ) throws -> [Int] {
        let ids = replaced.map(\.id)
        let taken = try transaction.run(outbox.take(ids, deleting: settings.deletesPublishedRows))
        guard taken.affectedRows == ids.count else { throw takenOver }
        return try expansions.ways(from: rows).flatMap { try insert(rows, by: $0, in: &transaction) }
    }

    /// Inserts the rows of one publication, or leaves them to a genesis run if they are too many for one transaction.
    /// - Returns: Their lanes.
    private func insert(
        _ rows: [OutboxRow],
        by ways: [Expansion],
        in transaction: inout Transaction
    ) throws -> [Int] {
        let maximum = settings.observersInlineMaximumSize
        let count = try Genesis.countObservers(rows, by: ways, upTo: maximum, in: &transaction)
        guard count <= maximum else {
            try Genesis.observerRun(
                rows,
                by: ways,
                chunkSize: settings.genesisChunkSize,
                tables: outbox.tables,
                in: &transaction
            )
            return []
        }
        guard count > 0 else { return [] }
        return try transaction.run(outbox.expand(rows, by: ways)).lanes()
    }

    // MARK: One by one

    private struct Attempted: Sendable {
        var lanes: [Int] = []
        var done: Set<Int64> = []
        /// Rows whose ways lead nowhere.
        var refused: [Int64: DionysusError] = [:]
        var failed: [Int64: DionysusError] = [:]
    }

    private func expandApart(_ rows: [OutboxRow], _ parts: [OutboxRow], in batch: inout Batch) async throws {
        let replaced = Set(batch.replaced.map(\.id))
        let attempted = try await database.transaction(.write) { [self] transaction -> Attempted in
            try transaction.run(outbox.support.seeingAllRows())
            var attempted = Attempted()
            for ways in expansions.ways(from: rows) {
                // No rows at all find out whether the statement can be run.
                guard let error = try transaction.attempt({ try $0.run(outbox.expand([], by: ways)) }).failure else {
                    continue
                }
                for row in rows where ways.contains(where: { $0.applies(to: row) }) {
                    attempted.refused[row.id] = unreachable(ways[0].publication, from: row, error)
                }
            }
            let rest = rows.filter { attempted.refused[$0.id] == nil }
            try replaceApart(rest, replaced, &attempted, in: &transaction)
            return attempted
        }
        expansionMemory.note(parts.filter { attempted.done.contains($0.id) })
        onExpanded(attempted.lanes.withoutRepetitions)
        for row in rows {
            if let error = attempted.refused[row.id] {
                batch.refusedGroups.insert(RecordGroup(row))
                try await refuse(RecordGroup(row), error)
            }
            batch.unexpanded[row.id] = attempted.failed[row.id]
        }
        try await accept(batch.replaced.filter { attempted.done.contains($0.id) }, except: batch.refusedGroups)
        let isRefused = { (row: OutboxRow) in attempted.refused[row.id] != nil }
        batch.replaced.removeAll(where: isRefused)
        batch.withParents.removeAll(where: isRefused)
        batch.rows.removeAll(where: isRefused)
    }

    private func replaceApart(
        _ rows: [OutboxRow],
        _ replaced: Set<Int64>,
        _ attempted: inout Attempted,
        in transaction: inout Transaction
    ) throws {
        guard !rows.isEmpty else { return }
        let taken = rows.filter { replaced.contains($0.id) }
        switch try transaction.attempt({ try replace(rows, taking: taken, in: &$0) }) {
        case .success(let lanes):
            attempted.lanes += lanes
            attempted.done.formUnion(rows.map(\.id))
        case .failure(let error):
            guard rows.count > 1 else {
                attempted.failed[rows[0].id] = error
                return
            }
            let middle = rows.count / 2
            try replaceApart(Array(rows[..<middle]), replaced, &attempted, in: &transaction)
            try replaceApart(Array(rows[middle...]), replaced, &attempted, in: &transaction)
        }
    }

    private func unreachable(
        _ publication: Registry.Publication,
        from row: OutboxRow,
        _ error: DionysusError
    ) -> DionysusError {
        DionysusError(
            .statement,
            "changes of \(row.resourceClass) can't be told of \(publication.model) in topic \(publication.topic): "
                + error.message,
            advice: error.adviceForWaitingRows,
            underlying: error
        )
    }
}
