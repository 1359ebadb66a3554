/// How much metrics may take, whatever they are labelled with.
public struct MetricLimits: Sendable, Hashable {
    /// How many metrics there may be.
    ///
    /// What more is made isn't collected, and the log says so once.
    /// Default 1,000.
    public var metrics = 1_000
    /// How many series a metric may have, by its dimensions.
    ///
    /// What more there is goes together into one with `otel.metric.overflow="true"`. Default 2,000, as OpenTelemetry has it.
    public var seriesPerMetric = 2_000
    /// How many characters a dimension's value may have; what is longer is cut.
    ///
    /// Default 256.
    public var valueLength = 256

    /// Creates limits with their defaults.
    public init() {}
}

/// Where the buckets of distributions end.
public struct HistogramBounds: Sendable, Hashable {
    /// Of timers, in seconds.
    ///
    /// Default 0.5 ms to a minute.
    public var timers: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Of recorders.
    ///
    /// Default 1 to 10,000.
    public var recorders: [Double] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]
    /// Of single metrics, by name, in seconds for timers.
    public var metrics: [String: [Double]] = [:]

    /// Creates bounds with their defaults.
    public init() {}

    func of(_ label: String, _ standard: [Double]) -> [Double] {
        let chosen = metrics[label] ?? standard
        return Set(chosen.filter(\.isFinite)).sorted()
    }
}
