import Dionysus
import Metrics

/// The metrics of a relay, as ``TelemetryName`` describes them.
final class RelayMetrics: Sendable {
    /// A part of a batch's way whose duration is measured.
    enum Stage: String, CaseIterable {
        case claim
        case expand
        case load
        case serialize
        case send
        case settle
    }

    /// Whether metrics are collected at all.
    var isEnabled: Bool { table.isEnabled }
    private let system: String
    private let stages: [Stage: Timer]
    private let sending: Timer
    private let batchSize: Recorder
    private let contendedLanes: Counter
    private let superfluous: Counter
    private let activeLanes: Gauge
    private let pending: Gauge
    private let failing: Gauge
    private let parked: Gauge
    private let oldestAge: Gauge
    private let latency: [String: Gauge]
    private let latencyOfOutbox: [String: Gauge]
    private let table: MetricTable

    /// Creates the metrics.
    /// - Parameters:
    ///   - factory: What makes them.
    ///   - system: The broker's kind, as OpenTelemetry names it.
    init(_ factory: any MetricsFactory, system: String) {
        table = MetricTable(factory)
        self.system = system
        let gauge = { (name: String) in Gauge(label: name, factory: factory) }
        let counter = { (name: String) in Counter(label: name, factory: factory) }
        stages = Dictionary(
            uniqueKeysWithValues: Stage.allCases.map { stage in
                let dimensions = [(TelemetryName.stage, stage.rawValue)]
                return (stage, Timer(label: TelemetryName.stageDuration, dimensions: dimensions, factory: factory))
            }
        )
        sending = Timer(
            label: TelemetryName.operationDuration,
            dimensions: [(TelemetryName.messagingSystem, system), (TelemetryName.operationName, "send")],
            factory: factory
        )
        batchSize = Recorder(label: TelemetryName.batchSize, factory: factory)
        contendedLanes = counter(TelemetryName.contendedLanes)
        superfluous = counter(TelemetryName.superfluous)
        activeLanes = gauge(TelemetryName.activeLanes)
        pending = gauge(TelemetryName.pendingRows)
        failing = gauge(TelemetryName.failingRows)
        parked = gauge(TelemetryName.parkedRows)
        oldestAge = gauge(TelemetryName.oldestAge)
        let statistics = { (label: String) in
            let gauges = ["min", "max", "avg"]
                .map { statistic in
                    let dimensions = [(TelemetryName.statistic, statistic)]
                    return (statistic, Gauge(label: label, dimensions: dimensions, factory: factory))
                }
            return Dictionary(uniqueKeysWithValues: gauges)
        }
        latency = statistics(TelemetryName.latency)
        latencyOfOutbox = statistics(TelemetryName.outboxLatency)
    }

    func ended(_ stage: Stage, after duration: Duration) {
        stages[stage]?.record(duration: duration)
        if stage == .send { sending.record(duration: duration) }
    }

    func claimed(_ rows: Int) { batchSize.record(rows) }

    func sent(_ messages: Int, to topic: String, error: String? = nil) {
        let base: [MetricTable.Dimension] = [
            (TelemetryName.messagingSystem, system), (TelemetryName.operationName, "send"),
        ]
        count(messages, TelemetryName.sentMessages, base, destination: topic, error: error)
    }

    func published(_ rows: Int, to topic: String) { count(rows, TelemetryName.published, destination: topic) }

    func failed(_ error: String) { count(1, TelemetryName.failures, error: error) }

    func wasParked(in topic: String) { count(1, TelemetryName.parked, destination: topic) }

    func settledWithoutMessage(_ rows: Int) { superfluous.increment(by: rows) }

    func laneWasContended() { contendedLanes.increment() }

    func works(onLanes lanes: Int) { activeLanes.record(lanes) }

    func measured(_ backlog: Backlog, latency summary: LatencyTracker.Summary?, oldestAge age: Duration) {
        pending.record(backlog.pending)
        failing.record(backlog.failing)
        parked.record(backlog.parked)
        oldestAge.record(age.inSeconds)
        latency.record(summary)
        latencyOfOutbox.record(backlog.latency)
    }

    private func count(
        _ amount: Int,
        _ label: String,
        _ base: [MetricTable.Dimension] = [],
        destination: String? = nil,
        error: String? = nil
    ) {
        let more = [(TelemetryName.destination, destination), (TelemetryName.errorType, error)]
        table.count(amount, label, base + more)
    }
}

extension [String: Gauge] {
    /// Sets the gauges of the statistics, if there are any.
    fileprivate func record(_ summary: LatencyTracker.Summary?) {
        guard let summary else { return }
        self["min"]?.record(summary.minimum.inSeconds)
        self["max"]?.record(summary.maximum.inSeconds)
        self["avg"]?.record(summary.average.inSeconds)
    }
}
