import Dionysus
import ServiceLifecycle

/// Settling rows, and leaving or keeping their lane.
extension RelayPipeline {
    /// How a batch leaves its lane.
    struct Settled: Sendable {
        /// The lane's next rows, if it is kept.
        var next: LaneClaim?
        /// Whether the lane has more to publish, as far as is known.
        var hasMore = false
    }

    /// Marks what has become of the rows.
    ///
    /// A lane that has much to publish is kept, and its next rows are taken in the same round trip. Otherwise it is given
    /// back, and the same round trip finds out which lanes have something to publish.
    func settle(
        _ settlement: Settlement,
        of batch: RelayBatch,
        _ lease: any Lease,
        mayKeep: () -> Bool
    ) async throws -> Settled {
        let lane = batch.lane
        let chores = housekeeping.due(lane, outbox, settled: settlement.settled.count, isIdle: false)
        let last = settlement.statements(outbox, deleting: settings.deletesPublishedRows) + chores.statements
        var settled = Settled(hasMore: batch.isFull && settlement.hasSettledRows)
        let results: [ResultSet]
        if settled.hasMore, settlement.brokerError == nil, mayKeep() {
            let found: [ResultSet]?
            (results, found) = try await lease.renew(ending: last, running: claiming(lane))
            settled.next = found.map { LaneClaim(lane: lane, lease: lease, found: $0, start: .now) }
        } else if let onPending {
            let pending: [Int]
            let waiting = refusals.waiting
            (results, pending) = try await lease.release { [outbox] transaction in
                let results = try transaction.runLast(last + [outbox.pendingLanes(without: waiting)])
                return (Array(results.dropLast()), try results.last?.lanes() ?? [])
            }
            // Rows that all wait for others are left to the service's polls.
            settled.hasMore = settlement.hasSettledRows && pending.contains(lane)
            onPending(pending)
        } else {
            results = try await lease.release { try $0.runLast(last) }
        }
        housekeeping.note(chores, of: lane, results)
        expander.forget(settlement.settled)
        telemetry.settled(settlement, batch.rows, lane: lane, duration: .now - batch.start)
        return settled
    }

    /// Gives back a lane that has nothing to publish.
    func giveBack(_ claim: LaneClaim, _ batch: RelayBatch) async throws -> Outcome {
        let chores = housekeeping.due(claim.lane, outbox, settled: 0, isIdle: true)
        if chores.statements.isEmpty {
            // Nothing was written, so that there is nothing to be made durable.
            await claim.lease.abandon()
        } else {
            let results = try await claim.lease.release { try $0.runLast(chores.statements) }
            housekeeping.note(chores, of: claim.lane, results)
        }
        return batch.isFull ? .full : batch.replaced.isEmpty ? .empty : .settled
    }

    /// How long a relay that is shutting down tries to write fresh rows.
    private static let refreshPatience = Duration.seconds(5)

    /// Whether a lane may be another relay's by now; where it isn't, its rows are still to be published, in their order.
    func hasLost(_ claim: LaneClaim) async -> Bool {
        do {
            _ = try await claim.lease.perform { try $0.run("SELECT 1") }
            return false
        } catch {
            return true
        }
    }

    /// Makes the last message of records current again, by a fresh row for each, after the lane was lost.
    ///
    /// Another relay may have taken the lane while their messages were being sent, so that newer ones may stand before ours
    /// in the log.
    func refresh(_ rows: [OutboxRow], because error: any Error) async {
        // A message that is no model's has no state that could become current again.
        let rows = rows.filter { !$0.isOfPlainMessage }
        guard !rows.isEmpty else { return }
        context.logger.warning(
            "the lane was lost after \(rows.count) messages had been sent; their records are published again",
            metadata: ["error": "\(error)"]
        )
        let latest = Array(Dictionary(rows.map { ($0.record, $0) }, uniquingKeysWith: { $1 }).values)
        let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        do {
            let end = ContinuousClock.now + Self.refreshPatience
            try await backoff.retrying(while: { !Task.isShuttingDownGracefully || .now < end }) {
                try await database.transaction(.write) { _ = try $0.run(outbox.refresh(latest)) }
            }
        } catch {
            // The caller throws the error by which the lane was lost, which is what people have to know.
            context.logger.warning("their fresh rows could not be written: \(error)")
        }
    }

    func outcome(of settlement: Settlement, hasMore: Bool) -> Outcome {
        if let error = settlement.brokerError {
            return .brokerUnavailable(error, hasProgressed: settlement.hasSettledRows)
        }
        return hasMore ? .full : .settled
    }

    /// Reports what became of a batch, after its lane has been left or kept.
    func report(_ settlement: Settlement, acknowledgedAt: Timestamp) {
        for (note, rows) in settlement.notes { context.logger.info("\(rows.count) rows of the outbox: \(note)") }
        reportMissingRecords(settlement)
        guard !settlement.published.isEmpty else { return }
        context.onPublished(
            PublishedBatch(
                changes: settlement.published.map { row in
                    .init(eventID: composer.eventID(of: row), recordedAt: row.createdAt ?? .now)
                },
                acknowledgedAt: acknowledgedAt
            )
        )
    }

    /// Warns when unusually many records don't exist any more.
    private func reportMissingRecords(_ settlement: Settlement) {
        let gone = settlement.notes[Composer.gone] ?? []
        let rows = settlement.published + gone
        guard !rows.isEmpty, !gone.isEmpty || missing.isCounting else { return }
        let counts = Dictionary(gone.map { ($0.resourceClass, 1) }, uniquingKeysWith: +)
        for (model, rows) in Dictionary(grouping: rows, by: \.resourceClass) {
            let warning = missing.note(model, seen: rows.count, missing: counts[model] ?? 0)
            guard let warning else { continue }
            context.logger.warning(
                """
                \(warning.missing) of the last \(warning.seen) rows of \(model) are for records that no longer exist, and \
                nothing was published for them: make sure that the relay's role sees all rows of the table, and its own \
                database
                """
            )
        }
    }
}
