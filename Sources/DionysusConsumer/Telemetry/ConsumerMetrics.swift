import Dionysus
import Metrics

/// The metrics of a consumer, as ``TelemetryName`` describes them.
struct ConsumerMetrics: Sendable {
    /// A part of a batch's way whose duration is measured.
    enum Stage: String, CaseIterable {
        case decode
        case bind
        case park
        case persist
        case react
    }

    private let table: MetricTable
    private let system: String
    private let group: String

    init(_ factory: any MetricsFactory, system: String, group: String) {
        table = MetricTable(factory)
        self.system = system
        self.group = group
    }

    /// Whether metrics are collected.
    var isEnabled: Bool { table.isEnabled }

    /// Does the work of a stage, and measures how long it takes.
    func stage<T>(_ stage: Stage, _ work: () async throws -> T) async rethrows -> T {
        let start = isEnabled ? ContinuousClock.now : nil
        defer { if let start { took(.now - start, stage) } }
        return try await work()
    }

    private func took(_ duration: Duration, _ stage: Stage) {
        table.time(duration, TelemetryName.consumerStageDuration, [(TelemetryName.stage, stage.rawValue)])
    }

    func took(_ messages: Int) { table.record(messages, TelemetryName.consumerBatchSize) }

    func processed(_ partition: TopicPartition, in duration: Duration, _ error: (any Error)?) {
        guard isEnabled else { return }
        table.time(
            duration,
            TelemetryName.processDuration,
            conventions(partition.topic) + [(TelemetryName.errorType, error?.type)]
        )
    }

    func consumed(_ messages: Int, from topic: String) {
        guard isEnabled else { return }
        table.count(messages, TelemetryName.consumedMessages, conventions(topic))
    }

    func applied(_ tally: EventTally, in topic: String) {
        table.count(tally.applied, TelemetryName.applied, [(TelemetryName.destination, topic)])
        for (reason, count) in tally.skipped {
            table.count(
                count,
                TelemetryName.skipped,
                [(TelemetryName.destination, topic), (TelemetryName.reason, reason.rawValue)]
            )
        }
    }

    func failed(_ error: any Error) {
        table.count(1, TelemetryName.consumerFailures, [(TelemetryName.errorType, error.type)])
    }

    func parked(_ topic: String, _ policy: String) {
        table.count(
            1,
            TelemetryName.parkedMessages,
            [(TelemetryName.destination, topic), (TelemetryName.policy, policy)]
        )
    }

    func retried(_ topic: String) { table.count(1, TelemetryName.retries, [(TelemetryName.destination, topic)]) }

    func rebalanced(_ change: String, owned: Int) {
        table.count(1, TelemetryName.rebalances, [(TelemetryName.change, change)])
        table.set(Double(owned), TelemetryName.ownedPartitions)
    }

    func verified(_ counts: VerificationCounts, _ topic: String) {
        for (kind, count) in counts.counts {
            table.set(
                Double(count),
                TelemetryName.differences,
                [
                    (TelemetryName.destination, topic), (TelemetryName.model, counts.model),
                    (TelemetryName.kind, kind.rawValue),
                ]
            )
        }
    }

    /// - Parameter age: The age of the oldest message that is still to be applied; nil if it isn't known.
    func lags(_ partition: TopicPartition, by messages: Int64, age: Duration?) {
        table.set(Double(messages), TelemetryName.lagMessages, dimensions(of: partition))
        if let age { table.set(age.inSeconds, TelemetryName.lagAge, dimensions(of: partition)) }
    }

    /// The partition is another member's from now on.
    func removeLag(of partition: TopicPartition) {
        table.removeGauge(TelemetryName.lagMessages, dimensions(of: partition))
        table.removeGauge(TelemetryName.lagAge, dimensions(of: partition))
    }

    private func dimensions(of partition: TopicPartition) -> [MetricTable.Dimension] {
        [
            (TelemetryName.destination, partition.topic),
            (TelemetryName.destinationPartition, String(partition.partition)),
        ]
    }

    private func conventions(_ topic: String) -> [MetricTable.Dimension] {
        [
            (TelemetryName.messagingSystem, system), (TelemetryName.operationName, "process"),
            (TelemetryName.destination, topic), (TelemetryName.consumerGroup, group),
        ]
    }
}

extension Error {
    /// The kind of error, as OpenTelemetry's `error.type` has it: of few values.
    var type: String { (self as? DionysusError)?.code.description ?? "\(Swift.type(of: self))" }
}
