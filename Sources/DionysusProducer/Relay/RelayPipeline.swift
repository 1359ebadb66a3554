import Dionysus
import Logging
import ServiceLifecycle

/// The way of a batch from the outbox to the broker.
struct RelayPipeline: Sendable {
    /// How a batch ended.
    enum Outcome: Sendable {
        /// Somebody else has the lane.
        case busy
        /// There was nothing to do.
        case empty
        /// Rows were settled, and there were no more.
        case settled
        /// Rows were settled; there are probably more.
        case full
        /// The broker did not take the messages, or not all of them.
        case brokerUnavailable(DionysusError, hasProgressed: Bool)
    }

    let database: any CapturingDatabase
    let outbox: Outbox
    let producer: any MessageProducer
    let settings: ProducerSettings
    let registry: Registry
    let expansions: Expansions
    let expansionMemory = ExpansionMemory()
    let sizes = RecordSizes()
    let plans: [RecordGroup: LoadPlan]
    let styles: WireStyles
    let composer: Composer
    /// The keys of models whose records the outbox may know under several spellings.
    let keys: [String: RecordKey]
    let housekeeping: LaneHousekeeping
    let refused = RefusedModels()
    /// The same of models whose topic the broker doesn't have, or denies.
    let withoutTopic = RefusedModels()
    /// The same of genesis runs.
    let refusedRuns = RefusedModels()
    let missing = MissingRecords()
    let onPublished: @Sendable (PublishedBatch) -> Void
    /// Called with the lanes that rows have been replaced into.
    let onExpanded: @Sendable ([Int]) -> Void
    /// Called with the lanes that had something to publish when a lane was settled; nil if nobody wants to know.
    let onPending: (@Sendable ([Int]) -> Void)?
    let telemetry: RelayTelemetry
    let logger: Logger

    /// Publishes the next rows of a lane.
    ///
    /// This is the relay.
    /// - Parameters:
    ///   - lane: The lane.
    ///   - claim: The lane's next rows, if it is held; otherwise it is taken.
    ///   - mayKeep: Whether the lane may be kept for its next rows.
    /// - Returns: How it ended, and the lane's next rows if it is kept.
    func publishBatch(
        ofLane lane: Int,
        _ claim: Claim? = nil,
        mayKeep: () -> Bool = { false }
    ) async throws -> (outcome: Outcome, next: Claim?) {
        guard let claim = if let claim { claim } else { try await take(lane) } else { return (.busy, nil) }
        let lease = claim.lease
        do {
            var batch = try await batch(of: claim, lane)
            try await expand(&batch)
            guard !batch.rows.isEmpty || !batch.unexpanded.isEmpty else {
                return (try await finish(lane, batch, lease), nil)
            }
            let sent = try await send(batch, ofLane: lane)
            let acknowledgedAt = Timestamp.now
            var settlement = Settlement(batch.rows, sent.verdicts, sent.results, settings: settings)
            settlement.fail(batch.failedReplacements, settings)
            try await noteTopics(settlement)
            let settled = try await settle(settlement, of: batch, lane, lease, mayKeep: mayKeep)
            await telemetry.respond(sent.last.rows, sent.last.messages, sent.last.verdicts, sent.last.results)
            return (report(settlement, hasMore: settled.hasMore, acknowledgedAt), settled.next)
        } catch {
            await lease.abandon()
            throw error
        }
    }

    /// A lane that is held, and what was found in it.
    struct Claim: Sendable {
        fileprivate let lease: any Lease
        /// What ``RelayPipeline/claiming(_:)`` gave.
        fileprivate let found: [ResultSet]
        fileprivate let start: ContinuousClock.Instant
    }

    struct Batch: Sendable {
        var rows: [OutboxRow]
        /// Rows about something observed or a dependency, which rows of other records replace.
        var replaced: [OutboxRow]
        /// Those of the rows whose records are also a part of others.
        var withParents: [OutboxRow]
        /// The ids of rows that wait for earlier rows of their record in another lane.
        var waiting: Set<Int64>
        /// Why rows could not be replaced, or those they are a part of could not be found.
        var unexpanded: [Int64: DionysusError] = [:]
        /// Models whose changes can't be told for now.
        var refusedGroups: Set<RecordGroup> = []
        var version: Int64
        var isFull: Bool
        /// When the work on it began.
        var start: ContinuousClock.Instant

        var failedReplacements: [(row: OutboxRow, error: DionysusError)] {
            unexpanded.isEmpty ? [] : replaced.compactMap { row in unexpanded[row.id].map { (row, $0) } }
        }
    }

    /// Takes a lane and its next rows; nil if somebody else has the lane.
    private func take(_ lane: Int) async throws -> Claim? {
        let start = ContinuousClock.now
        let leased = try await database.lease(
            outbox.lock(ofLane: lane),
            idleTimeout: settings.leaseTimeout,
            running: claiming(lane)
        )
        guard let (lease, found) = leased else { return nil }
        telemetry.metrics.took(.now - start, .claim)
        return Claim(lease: lease, found: found, start: start)
    }

    /// What finds a lane's next rows.
    ///
    /// The rows are taken before the version is drawn: so what is loaded afterwards is at least as recent as the version
    /// says.
    private func claiming(_ lane: Int) -> [SQL] {
        let (limit, onFailure, refused) = (settings.batchSize, settings.onFailure, waitingGroups)
        return [
            outbox.claim(lane: lane, limit: limit, onFailure: onFailure, without: refused),
            outbox.claimDue(lane: lane, limit: limit, onFailure: onFailure, without: refused),
            outbox.support.drawVersion(),
        ]
    }

    /// The rows that were found, in the order of the outbox.
    private func rows(of claim: Claim) throws -> [OutboxRow] {
        let fresh = try claim.found[0].rows.map { try OutboxRow($0, keys: keys) }
        let due = try claim.found[1].rows.map { try OutboxRow($0, keys: keys) }
        return due.isEmpty ? fresh : Array((fresh + due).sorted { $0.id < $1.id }.prefix(settings.batchSize))
    }

    private func batch(of claim: Claim, _ lane: Int) async throws -> Batch {
        let found = try rows(of: claim)
        let claimed = found.oldEnough
        let moves = claimed.compactMap { row in
            registry.publication(topic: row.topic, modelName: row.resourceClass).flatMap(row.move)
        }
        let waiting =
            moves.isEmpty
            ? []
            : try await claim.lease.perform { [outbox] transaction in
                try outbox.waitingForAnotherLane(moves, lane: lane, in: &transaction)
            }
        let kinds = claimed.map { ($0, expansions.kind(of: $0)) }
        let batch = Batch(
            rows: kinds.filter { $1 != .replaced }.map(\.0),
            replaced: kinds.filter { $1 == .replaced }.map(\.0),
            withParents: kinds.filter { $1 == .publishedWithParents }.map(\.0),
            waiting: waiting,
            version: try claim.found[2].first?.integer(0) ?? 0,
            isFull: found.count == settings.batchSize && !claimed.isEmpty,
            start: claim.start
        )
        telemetry.claimed(batch.rows, lane: lane)
        return batch
    }

    var takenOver: DionysusError {
        DionysusError(.transactionConflict, "another relay has the lane's rows by now", isRetriable: true)
    }

    /// Loads the current state of records and what belongs to them, as one snapshot of the database has it.
    func load(_ rows: [OutboxRow]) async throws -> LoadedBatch {
        let timing = telemetry.metrics.begin(.load)
        defer { timing.end() }
        return try await SnapshotLoader(database: database, plans: plans, styles: styles)
            .loadWhatCanBe(Dictionary(grouping: rows, by: RecordGroup.init).mapValues { $0.map(\.resourceID) })
    }

    func compose(
        _ rows: [OutboxRow],
        of batch: Batch,
        _ superseded: Set<Int64>,
        _ records: LoadedBatch,
        _ held: inout Composer.Held,
        _ span: SendSpan?
    ) -> (messages: [OutgoingMessage], verdicts: [Composer.Verdict]) {
        let timing = telemetry.metrics.begin(.serialize)
        defer { timing.end() }
        return composer.compose(
            rows,
            waiting: batch.waiting,
            superseded: superseded,
            held: &held,
            records,
            unexpanded: batch.unexpanded,
            version: batch.version,
            onFailure: settings.onFailure,
            trace: span?.traceContext
        )
    }

    func send(
        _ messages: [OutgoingMessage],
        ofLane lane: Int,
        _ span: SendSpan?
    ) async throws -> [Result<Acknowledgement, DionysusError>] {
        let timing = telemetry.metrics.begin(.send)
        defer { timing.end() }
        let results =
            registry.middleware.isEmpty || messages.isEmpty
            ? await send(messages) : try await sendInsideMiddleware(PublishingBatch(lane: lane, messages: messages))
        span?.end(results)
        telemetry.sent(messages, results)
        return results
    }

    private func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        await resendingWithoutTrace(messages, await producer.send(messages))
    }

    private func sendInsideMiddleware(
        _ batch: PublishingBatch
    ) async throws -> [Result<Acknowledgement, DionysusError>] {
        let sending = Sending(batch.messages, send)
        do {
            _ = try await sendInside(registry.middleware[...], batch, sending)
        } catch  where sending.isBegun {
            telemetry.middlewareFailed(error, lane: batch.lane)
        }
        guard sending.isBegun else {
            throw DionysusError(
                .declaration,
                "a middleware of the producer has ended without sending its batch",
                advice: "call next at least once"
            )
        }
        return sending.results
    }

    private func sendInside(
        _ layers: ArraySlice<any ProducerMiddleware>,
        _ batch: PublishingBatch,
        _ sending: Sending
    ) async throws -> Int {
        guard let layer = layers.first else { return await sending.attempt() }
        try await layer.publish(batch) { try await sendInside(layers.dropFirst(), batch, sending) }
        return sending.unacknowledged
    }

    /// Where a batch leaves its lane.
    private struct Settled {
        /// The lane's next rows, if it is kept.
        var next: Claim?
        /// Whether the lane has more to publish, as far as is known.
        var hasMore = false
    }

    /// Marks what has become of the rows.
    ///
    /// A lane that has much to publish is kept, and its next rows are taken in the same round trip. Otherwise it is given
    /// back, and the same round trip finds out which lanes have something to publish.
    private func settle(
        _ settlement: Settlement,
        of batch: Batch,
        _ lane: Int,
        _ lease: any Lease,
        mayKeep: () -> Bool
    ) async throws -> Settled {
        let start = ContinuousClock.now
        let care = housekeeping.due(lane, outbox, settled: settlement.settled.count, isIdle: false)
        let last = settlement.statements(outbox, deleting: settings.deletesPublishedRows) + care.statements
        let hasMore = batch.isFull && settlement.hasSettledRows
        var settled = Settled(hasMore: hasMore)
        do {
            let results: [ResultSet]
            if hasMore, settlement.brokerError == nil, mayKeep() {
                let found: [ResultSet]?
                (results, found) = try await lease.renew(ending: last, running: claiming(lane))
                settled.next = found.map { Claim(lease: lease, found: $0, start: .now) }
            } else if let onPending {
                let pending: [Int]
                let waiting = waitingGroups
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
            housekeeping.took(care, of: lane, results)
        } catch {
            await refresh(settlement.sent, because: error)
            throw error
        }
        expansionMemory.forget(settlement.settled)
        telemetry.metrics.took(.now - start, .settle)
        telemetry.settled(settlement, batch.rows, lane: lane, duration: .now - batch.start)
        return settled
    }

    /// Tells that somebody else holds a lane.
    func tellHeldLane(_ lane: Int) async {
        await telemetry.laneIsHeld(lane) {
            try await database.transaction(.snapshot) { [outbox] in
                try $0.run(outbox.waitingTopics(ofLane: lane)).rows.compactMap { try $0.text(0) }
            }
        }
    }

    private func finish(_ lane: Int, _ batch: Batch, _ lease: any Lease) async throws -> Outcome {
        let care = housekeeping.due(lane, outbox, settled: 0, isIdle: true)
        if care.statements.isEmpty {
            // Nothing was written, so that there is nothing to be made durable.
            await lease.abandon()
        } else {
            housekeeping.took(care, of: lane, try await lease.release { try $0.runLast(care.statements) })
        }
        return batch.isFull ? .full : batch.replaced.isEmpty ? .empty : .settled
    }

    /// The lane may have been taken over while the messages were under way, and newer ones may stand before ours in the
    /// log.
    ///
    /// A fresh row for each record makes its last message current again.
    private func refresh(_ rows: [OutboxRow], because error: any Error) async {
        guard !rows.isEmpty else { return }
        logger.warning(
            "the lane was lost after \(rows.count) messages had been sent; their records are published again",
            metadata: ["error": "\(error)"]
        )
        let latest = Array(Dictionary(rows.map { ($0.record, $0) }, uniquingKeysWith: { $1 }).values)
        let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        do {
            try await backoff.retrying(while: { !Task.isShuttingDownGracefully }) {
                try await database.transaction(.write) { _ = try $0.run(outbox.refresh(latest)) }
            }
        } catch {
            // The caller goes on with what has made the lane be lost, which is what people have to know.
            logger.warning("their fresh rows could not be written: \(error)")
        }
    }

    private func report(_ settlement: Settlement, hasMore: Bool, _ acknowledgedAt: Timestamp) -> Outcome {
        for (note, rows) in settlement.notes {
            logger.info("\(rows.count) rows of the outbox: \(note)")
        }
        tellMissing(settlement)
        if !settlement.published.isEmpty {
            onPublished(
                PublishedBatch(
                    changes: settlement.published.map { row in
                        .init(eventID: composer.eventID(of: row), recordedAt: row.createdAt ?? .now)
                    },
                    acknowledgedAt: acknowledgedAt
                )
            )
        }
        if let error = settlement.brokerError {
            return .brokerUnavailable(error, hasProgressed: settlement.hasSettledRows)
        }
        return hasMore ? .full : .settled
    }
}
