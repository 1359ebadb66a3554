import CoreMetrics
import Dionysus
import Synchronization

/// Takes from a process's metrics what its samples are made of.
///
/// It is a metrics backend of its own beside the application's, so that services need to know nothing of it.
final class SampleFigures: MetricsFactory {
    /// What has happened since the last sample, and how things stand.
    struct Figures: Sendable {
        var handled: Int64 = 0
        var failures: Int64 = 0
        var topics: [String: Int64] = [:]
        var latencyAverage: Double?
        var latencyLongest: Double?
        var pending: Double?
        var oldestAge: Double?
        /// The messages and ages of owned partitions.
        var lags: [String: Double] = [:]
        var lagAges: [String: Double] = [:]
    }

    private let figures = Mutex(Figures())

    /// The figures; those that count begin anew.
    func take() -> Figures {
        figures.withLock { figures in
            let taken = figures
            (figures.handled, figures.failures, figures.topics) = (0, 0, [:])
            return taken
        }
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        switch label {
        case TelemetryName.published, TelemetryName.applied:
            let topic = dimensions.first { $0.0 == TelemetryName.destination }?.1 ?? ""
            return Tally { [self] amount in
                figures.withLock { figures in
                    figures.handled += amount
                    figures.topics[topic, default: 0] += amount
                }
            }
        case TelemetryName.failures, TelemetryName.consumerFailures:
            return Tally { [self] amount in figures.withLock { $0.failures += amount } }
        default: return NOOPMetricsHandler.instance
        }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard !aggregate else { return NOOPMetricsHandler.instance }
        let statistic = dimensions.first { $0.0 == TelemetryName.statistic }?.1
        let partition = dimensions.map { "\($0.0)=\($0.1)" }.joined(separator: ",")
        return switch (label, statistic) {
        case (TelemetryName.latency, "avg"): level { $0.latencyAverage = $1 }
        case (TelemetryName.latency, "max"): level { $0.latencyLongest = $1 }
        case (TelemetryName.pendingRows, _): level { $0.pending = $1 }
        case (TelemetryName.oldestAge, _): level { $0.oldestAge = $1 }
        case (TelemetryName.lagMessages, _): level { $0.lags[partition] = $1 }
        case (TelemetryName.lagAge, _): level { $0.lagAges[partition] = $1 }
        default: NOOPMetricsHandler.instance
        }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { NOOPMetricsHandler.instance }

    func destroyCounter(_ handler: any CounterHandler) {}

    func destroyRecorder(_ handler: any RecorderHandler) {
        guard let level = handler as? Level else { return }
        level.end()
    }

    func destroyTimer(_ handler: any TimerHandler) {}

    func destroyMeter(_ handler: any MeterHandler) {}

    private func level(_ set: @escaping @Sendable (inout Figures, Double?) -> Void) -> Level {
        Level { [self] value in figures.withLock { set(&$0, value) } }
    }
}

private final class Tally: CounterHandler {
    private let add: @Sendable (Int64) -> Void

    init(_ add: @escaping @Sendable (Int64) -> Void) { self.add = add }

    func increment(by amount: Int64) { add(amount) }
    func reset() {}
}

private final class Level: RecorderHandler {
    private let set: @Sendable (Double?) -> Void

    init(_ set: @escaping @Sendable (Double?) -> Void) { self.set = set }

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func end() { set(nil) }
}
