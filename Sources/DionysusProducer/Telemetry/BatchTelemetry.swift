import Dionysus
import Tracing

/// What is reported of batches.
extension RelayTelemetry {
    /// Measures how long a stage of a batch takes.
    func stage<Result>(_ stage: RelayMetrics.Stage, _ work: () async throws -> Result) async rethrows -> Result {
        let start = ContinuousClock.now
        defer { ended(stage, after: .now - start) }
        return try await work()
    }

    /// A stage of a batch has ended.
    func ended(_ stage: RelayMetrics.Stage, after duration: Duration) { metrics.ended(stage, after: duration) }

    /// Rows have been claimed.
    func claimed(_ rows: [OutboxRow], lane: Int) {
        guard !rows.isEmpty else { return }
        metrics.claimed(rows.count)
        guard monitor.isObserved(OutboxProducer.ProcessingTopic.self) else { return }
        for (topic, rows) in Dictionary(grouping: rows, by: \.topic) {
            monitor.emit(OutboxProducer.ProcessingTopic(topic: topic, lane: lane, rows: rows.count))
        }
    }

    /// The span of sending rows, if there is a tracer.
    func sending(_ rows: [OutboxRow]) -> SendSpan? {
        tracer.map { SendSpan(rows, $0, system: system, clientID: settings.clientID) }
    }

    /// What came of sending.
    func sent(_ messages: [OutgoingMessage], _ results: [Result<Acknowledgement, DionysusError>]) {
        let hasSucceeded = results.contains { if case .success = $0 { true } else { false } }
        if hasSucceeded { _ = vitals.noteBroker(nil) }
        guard metrics.isEnabled else { return }
        var counts: [SendOutcome: Int] = [:]
        for (message, result) in zip(messages, results) {
            var error: String?
            if case .failure(let failure) = result { error = failure.code.description }
            counts[SendOutcome(topic: message.topic, error: error), default: 0] += 1
        }
        for (outcome, count) in counts { metrics.sent(count, to: outcome.topic, error: outcome.error) }
    }

    private struct SendOutcome: Hashable {
        let topic: String
        let error: String?
    }

    /// Reports what became of a batch.
    func settled(_ settlement: Settlement, _ rows: [OutboxRow], lane: Int, duration: Duration) {
        let published = settlement.published
        instrumentation.latency.record(published.lazy.compactMap { $0.createdAt })
        let parked = Set(settlement.parked.map(\.id))
        for (row, error) in settlement.failures {
            let context = ErrorContext(
                "publish a row of the outbox",
                topic: row.topic,
                record: row.record.messageKey,
                lane: lane,
                rowIDs: [row.id],
                attempt: Int(error.isRetriable ? row.attempts : row.attempts + 1)
            )
            metrics.failed(error.code.description)
            errorHandler.handle(error, context)
            let isParked = parked.contains(row.id)
            if isParked { metrics.wasParked(in: row.topic) }
            monitor.emit(
                OutboxProducer.PublishingFailed(
                    error: error,
                    record: OutboxRecord(row),
                    context: context,
                    isParked: isParked
                )
            )
        }
        for (_, rows) in settlement.notes { metrics.settledWithoutMessage(rows.count) }
        if metrics.isEnabled || monitor.isObserved(OutboxProducer.Published.self) {
            for (topic, rows) in Dictionary(grouping: published, by: \.topic) {
                metrics.published(rows.count, to: topic)
                monitor.emit(
                    OutboxProducer.Published(topic: topic, lane: lane, records: rows.map { OutboxRecord($0) })
                )
            }
        }
        guard monitor.isObserved(OutboxProducer.ProcessedTopic.self) else { return }
        for (topic, rows) in Dictionary(grouping: rows, by: \.topic) {
            monitor.emit(
                OutboxProducer.ProcessedTopic(
                    topic: topic,
                    lane: lane,
                    rows: rows.count,
                    published: published.count { $0.topic == topic },
                    failed: settlement.failures.count { $0.row.topic == topic },
                    duration: duration
                )
            )
        }
    }
}

extension OutboxRecord {
    init(_ row: OutboxRow) {
        self.init(
            id: row.id,
            topic: row.topic,
            modelName: row.resourceClass,
            recordID: row.recordID,
            eventName: row.eventName,
            partitionKey: row.partitionKey,
            attempts: Int(row.attempts),
            createdAt: row.createdAt,
            origin: row.origin
        )
    }
}
