package import Metrics
import Synchronization

/// Metrics with dynamic dimensions: topics, partitions, kinds of errors.
///
/// Each is created on first use and then kept. Without a metrics backend, none is created.
package final class MetricTable: Sendable {
    /// A dimension; one without a value is left out.
    package typealias Dimension = (name: String, value: String?)

    private struct Key: Hashable {
        let label: String
        let dimensions: [String]
    }

    private struct State {
        var counters: [Key: Counter] = [:]
        var timers: [Key: Timer] = [:]
        var recorders: [Key: Recorder] = [:]
        var gauges: [Key: Gauge] = [:]
    }

    /// Whether there is a metrics backend.
    package let isEnabled: Bool
    private let factory: any MetricsFactory
    private let state = Mutex(State())

    /// Creates an empty table.
    package init(_ factory: any MetricsFactory) {
        isEnabled = !(factory is NOOPMetricsHandler)
        self.factory = factory
    }

    /// Adds to a counter.
    package func count(_ amount: Int, _ label: String, _ dimensions: [Dimension] = []) {
        guard isEnabled, amount > 0 else { return }
        metric(\.counters, label, dimensions) { Counter(label: $0, dimensions: $1, factory: $2) }
            .increment(by: amount)
    }

    /// Adds a duration to a timer.
    package func time(_ duration: Duration, _ label: String, _ dimensions: [Dimension] = []) {
        guard isEnabled else { return }
        metric(\.timers, label, dimensions) { Timer(label: $0, dimensions: $1, factory: $2) }
            .record(duration: duration)
    }

    /// Adds a value to a distribution.
    package func record(_ value: Int, _ label: String, _ dimensions: [Dimension] = []) {
        guard isEnabled else { return }
        metric(\.recorders, label, dimensions) { Recorder(label: $0, dimensions: $1, factory: $2) }.record(value)
    }

    /// Sets a gauge.
    package func set(_ value: Double, _ label: String, _ dimensions: [Dimension] = []) {
        guard isEnabled else { return }
        metric(\.gauges, label, dimensions) { Gauge(label: $0, dimensions: $1, factory: $2) }.record(value)
    }

    /// Removes a gauge whose subject no longer exists.
    package func removeGauge(_ label: String, _ dimensions: [Dimension] = []) {
        let gauge = state.withLock { $0.gauges.removeValue(forKey: Self.key(label, Self.present(dimensions))) }
        gauge?.destroy()
    }

    private func metric<Metric: Sendable>(
        _ metrics: WritableKeyPath<State, [Key: Metric]>,
        _ label: String,
        _ dimensions: [Dimension],
        _ make: (String, [(String, String)], any MetricsFactory) -> Metric
    ) -> Metric {
        let dimensions = Self.present(dimensions)
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let metric = state[keyPath: metrics][key] { return metric }
            let metric = make(label, dimensions, factory)
            state[keyPath: metrics][key] = metric
            return metric
        }
    }

    private static func present(_ dimensions: [Dimension]) -> [(String, String)] {
        dimensions.compactMap { dimension in dimension.value.map { (dimension.name, $0) } }
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        Key(label: label, dimensions: dimensions.flatMap { [$0.0, $0.1] })
    }
}

extension Duration {
    /// The duration in seconds, as metrics show it.
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
