public import Dionysus
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
        /// Rows were settled, fewer than a batch holds.
        case settled
        /// A full batch was settled; there is probably more.
        case full
        /// The broker did not take the messages.
        case brokerUnavailable(DionysusError)
    }

    let database: any CapturingDatabase
    let outbox: Outbox
    let producer: any MessageProducer
    let settings: ProducerSettings
    let expansions: [Expansion]
    let plans: [RecordGroup: LoadPlan]
    let composer: Composer
    let housekeeping: LaneHousekeeping
    let onPublished: @Sendable (PublishedBatch) -> Void
    let logger: Logger

    /// Publishes the next rows of a lane.
    ///
    /// This is the relay.
    func publishBatch(ofLane lane: Int) async throws -> Outcome {
        let lock = outbox.lock(ofLane: lane)
        guard let lease = try await database.lease(lock, idleTimeout: settings.leaseTimeout) else { return .busy }
        do {
            let batch = try await claim(lane, under: lease)
            guard !batch.rows.isEmpty else { return try await finish(lane, batch, lease) }
            let records = try await load(batch.rows)
            let (messages, verdicts) = composer.compose(
                batch.rows,
                waiting: batch.waiting,
                records,
                version: batch.version,
                onFailure: settings.onFailure
            )
            let results = await producer.send(messages)
            let settlement = Settlement(batch.rows, verdicts, results, settings: settings)
            do {
                try await settle(settlement, lane, lease)
            } catch {
                try await refresh(settlement.published, because: error)
                throw error
            }
            return report(settlement, of: batch)
        } catch {
            await lease.abandon()
            throw error
        }
    }

    private struct Batch: Sendable {
        var rows: [OutboxRow]
        /// The ids of rows that wait for earlier rows of their record in another lane.
        var waiting: Set<Int64>
        var expanded: Int
        var version: Int64
        var isFull: Bool
    }

    /// Takes the next rows, replaces those about something observed, and draws the version: in this order, so that
    /// what is loaded afterwards is at least as recent as the version says.
    private func claim(_ lane: Int, under lease: any Lease) async throws -> Batch {
        try await lease.perform { [self] transaction in
            if housekeeping.isSweepDue(lane) { try transaction.run(outbox.sweep(lane: lane)) }
            let results = try transaction.run([
                outbox.claim(lane: lane, limit: settings.batchSize, onFailure: settings.onFailure),
                outbox.support.drawVersion(),
            ])
            let claimed = try results[0].rows.map { try OutboxRow($0) }
            let observed = claimed.filter { $0.topic == OutboxRow.observerTopic }
            if !observed.isEmpty { try transaction.run(expansion(of: observed)) }
            let moves = claimed.filter { row in
                let publication = composer.registry.publication(topic: row.topic, modelName: row.resourceClass)
                return row.isMove(partitionKey: publication?.partitionKey)
            }
            let waiting =
                moves.isEmpty
                ? []
                : try transaction.run(outbox.waitingForAnotherLane(moves, lane: lane)).rows
                    .compactMap { try $0.integer(0) }
            return Batch(
                rows: claimed.filter { $0.topic != OutboxRow.observerTopic },
                waiting: Set(waiting),
                expanded: observed.count,
                version: try results[1].first?.integer(0) ?? 0,
                isFull: claimed.count == settings.batchSize
            )
        }
    }

    private func expansion(of rows: [OutboxRow]) -> [SQL] {
        let inserts = expansions.compactMap { expansion -> SQL? in
            let affecting = rows.filter(expansion.applies(to:))
            return affecting.isEmpty ? nil : outbox.expand(affecting, as: expansion)
        }
        return inserts + [outbox.settle(rows.map(\.id), deleting: settings.deletesPublishedRows)]
    }

    /// Loads the current state of all records and what belongs to them, as one snapshot of the database has it.
    private func load(_ rows: [OutboxRow]) async throws -> [RecordGroup: LoadedRecords] {
        let groups = Dictionary(grouping: rows, by: RecordGroup.init)
            .compactMap { group, rows in
                plans[group].map { (group: group, plan: $0, ids: rows.map(\.resourceID).withoutRepetitions) }
            }
        let queries = groups.map { group, plan, ids in
            plan.queries(
                ids: ids.map { DatabaseValue(primaryKey: $0, type: plan.primaryKeyType) },
                dialect: outbox.dialect
            )
        }
        let results = try await database.transaction(.snapshot) { try $0.run(queries.flatMap(\.self)) }
        let encoder = JSONTreeEncoder(fractionDigits: settings.timeFractionDigits)
        var records: [RecordGroup: LoadedRecords] = [:]
        var start = 0
        for ((group, plan, _), queries) in zip(groups, queries) {
            let end = start + queries.count
            records[group] = LoadedRecords(plan: plan, results: results[start..<end], encoder: encoder)
            start = end
        }
        return records
    }

    private func settle(_ settlement: Settlement, _ lane: Int, _ lease: any Lease) async throws {
        let statements = settlement.statements(outbox, deleting: settings.deletesPublishedRows)
        try await lease.release { [self] transaction in
            try transaction.run(statements)
            try housekeeping.advance(lane, outbox, in: &transaction)
        }
    }

    private func finish(_ lane: Int, _ batch: Batch, _ lease: any Lease) async throws -> Outcome {
        try await lease.release { [self] transaction in
            try housekeeping.advance(lane, outbox, in: &transaction)
        }
        return batch.isFull ? .full : batch.expanded > 0 ? .settled : .empty
    }

    /// The lane may have been taken over while the messages were under way, and newer ones may stand before ours in the
    /// log.
    ///
    /// A fresh row for each record makes its last message current again.
    private func refresh(_ rows: [OutboxRow], because error: any Error) async throws {
        guard !rows.isEmpty else { return }
        logger.warning(
            "the lane was lost after \(rows.count) messages had been sent; their records are published again",
            metadata: ["error": "\(error)"]
        )
        let latest = Array(Dictionary(rows.map { ($0.record, $0) }, uniquingKeysWith: { $1 }).values)
        let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        try await backoff.retrying(while: { !Task.isShuttingDownGracefully }) {
            try await database.transaction(.write) { _ = try $0.run(outbox.refresh(latest)) }
        }
    }

    private func report(_ settlement: Settlement, of batch: Batch) -> Outcome {
        for (row, error) in settlement.failures {
            logger.error("row \(row.id) of the outbox failed: \(error)", metadata: ["attempts": "\(row.attempts + 1)"])
        }
        for (note, rows) in settlement.notes {
            logger.info("\(rows.count) rows of the outbox: \(note)")
        }
        if !settlement.published.isEmpty {
            onPublished(
                PublishedBatch(
                    changes: settlement.published.map { row in
                        .init(eventID: composer.eventID(of: row), recordedAt: row.createdAt ?? .now)
                    }
                )
            )
        }
        if let error = settlement.brokerError { return .brokerUnavailable(error) }
        let hasMore = batch.isFull && settlement.hasSettledRows
        return hasMore ? .full : .settled
    }
}

/// Changes whose messages the broker has acknowledged.
public struct PublishedBatch: Sendable {
    /// A change.
    public struct Change: Sendable {
        /// The id that the message's `dionysus-event-id` header has.
        public let eventID: String
        /// When the change was recorded, by the database's clock.
        public let recordedAt: Timestamp
    }

    /// The changes, in the order of the outbox.
    public let changes: [Change]
    /// When the batch was settled.
    public let publishedAt = Timestamp.now
}
