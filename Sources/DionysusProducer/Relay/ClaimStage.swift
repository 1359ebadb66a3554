import Dionysus

/// Taking a lane and its next rows.
extension RelayPipeline {
    /// Takes a lane and its next rows; nil if another relay holds the lane.
    func take(_ lane: Int) async throws -> LaneClaim? {
        let start = ContinuousClock.now
        let leased = try await database.lease(
            outbox.lock(ofLane: lane),
            idleTimeout: settings.leaseTimeout,
            running: claiming(lane)
        )
        guard let (lease, found) = leased else { return nil }
        telemetry.ended(.claim, after: .now - start)
        return LaneClaim(lane: lane, lease: lease, found: found, start: start)
    }

    /// The statements that find a lane's next rows.
    ///
    /// The version is drawn last: so what is loaded afterwards is at least as recent as the version says, and no message that
    /// another lane's destruction has had meanwhile has a higher one.
    func claiming(_ lane: Int) -> [SQL] {
        let (limit, onFailure, refused) = (settings.batchSize, settings.onFailure, refusals.waiting)
        return [
            outbox.claim(lane: lane, limit: limit, onFailure: onFailure, without: refused),
            outbox.claimDue(lane: lane, limit: limit, onFailure: onFailure, without: refused),
            followsDestructions ? outbox.someDestruction() : "SELECT 1 WHERE 1 = 0",
            outbox.support.drawVersion(),
        ]
    }

    /// The rows that were found, by what has to become of them.
    func batch(of claim: LaneClaim) async throws -> RelayBatch {
        let found = try rows(of: claim)
        let claimed = found.oldEnough
        let kinds = claimed.map { ($0, expander.expansions.kind(of: $0)) }
        let (waiting, version) = try await waitingForAnotherLane(claimed, claim)
        let rows = kinds.filter { $1 != .replaced }.map(\.0).without(waiting)
        let replaced = kinds.filter { $1 == .replaced }.map(\.0)
        let batch = RelayBatch(
            lane: claim.lane,
            rows: rows,
            replaced: replaced,
            withParents: kinds.filter { $1 == .publishedWithParents }.map(\.0),
            version: version,
            isFull: found.count == settings.batchSize && !(rows.isEmpty && replaced.isEmpty),
            start: claim.start
        )
        telemetry.claimed(batch.rows, lane: claim.lane)
        return batch
    }

    /// The rows that were found, in the order of the outbox.
    private func rows(of claim: LaneClaim) throws -> [OutboxRow] {
        let fresh = try claim.found[0].rows.map { try OutboxRow($0, keys: keys) }
        let due = try claim.found[1].rows.map { try OutboxRow($0, keys: keys) }
        return due.isEmpty ? fresh : Array((fresh + due).sorted { $0.id < $1.id }.prefix(settings.batchSize))
    }

    /// The ids of rows whose record has moved here while earlier rows of it wait in another lane, and the batch's version.
    private func waitingForAnotherLane(
        _ rows: [OutboxRow],
        _ claim: LaneClaim
    ) async throws -> (ids: Set<Int64>, version: Int64) {
        let version = try claim.found[3].first?.integer(0) ?? 0
        let areSomeDestroyed = !claim.found[2].isEmpty
        var moves: [OutboxMove] = []
        var followers: [OutboxRow] = []
        for row in rows {
            guard let publication = context.registry.publication(topic: row.topic, modelName: row.resourceClass) else {
                continue
            }
            if let move = row.move(in: publication) { moves.append(move) }
            if areSomeDestroyed, row.mayFollowDestruction(in: publication) { followers.append(row) }
        }
        guard !moves.isEmpty || !followers.isEmpty else { return ([], version) }
        return try await claim.lease.perform { [outbox, moves, followers] transaction in
            let waiting = try outbox.waitingForAnotherLane(moves, followers, lane: claim.lane, in: &transaction)
            // Earlier rows that have been published since the claim may have a higher version than the one drawn then.
            return (waiting, try transaction.run(outbox.support.drawVersion()).first?.integer(0) ?? version)
        }
    }

    /// Reports that another relay holds a lane.
    func reportHeldLane(_ lane: Int) async {
        await telemetry.laneIsHeld(lane) {
            try await database.transaction(.snapshot) { [outbox] in
                try $0.run(outbox.waitingTopics(ofLane: lane)).rows.compactMap { try $0.text(0) }
            }
        }
    }
}

/// Expanding rows and sending messages, with what has to be noted of both.
extension RelayPipeline {
    /// Replaces rows of a batch by rows of the records that they affect.
    func expand(_ batch: inout RelayBatch) async throws {
        guard let outcome = try await expander.expand(batch.replaced, withParents: batch.withParents) else { return }
        onExpanded(outcome.lanes)
        let replaced = batch.replaced
        for row in batch.replaced + batch.withParents {
            guard let error = outcome.refused[row.id] else { continue }
            try await refusals.refuse(RecordGroup(row), error)
        }
        batch.note(outcome)
        try await refusals.accept(replaced.filter { outcome.done.contains($0.id) }, except: batch.refusedGroups)
    }

    /// Sends messages of a batch, and ends their span.
    func send(_ messages: [OutgoingMessage], of batch: RelayBatch, _ span: SendSpan?) async throws -> [SendResult] {
        let outcome = try await sender.send(messages, ofLane: batch.lane)
        if let error = outcome.middlewareError { telemetry.middlewareFailed(error, lane: batch.lane) }
        span?.end(outcome.results)
        telemetry.sent(messages, outcome.results)
        return outcome.results
    }
}
