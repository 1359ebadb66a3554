/// What a metric is at a moment.
struct MetricSnapshot: Sendable {
    enum Kind: Sendable, Hashable {
        case counter
        case gauge
        case histogram
    }

    /// The name that it was made with: `dionysus.relay.published`.
    let label: String
    let kind: Kind
    let description: MetricDescription
    /// Its name for Prometheus, without a counter's `_total`.
    let prometheusName: String
    let points: [MetricPoint]
}

/// What a series of a metric is at a moment.
struct MetricPoint: Sendable {
    enum Value: Sendable {
        case integer(Int64)
        case double(Double)
        case histogram(HistogramValue)
    }

    let attributes: Attributes
    /// Since when it has been counted, in nanoseconds since 1970.
    let start: UInt64
    let value: Value
}

/// A distribution.
struct HistogramValue: Sendable {
    /// The buckets' upper bounds, which they include.
    let bounds: [Double]
    /// How many values each bucket has, with those above all bounds last.
    let counts: [Int64]
    let sum: Double
    /// For each bucket one of its values that belongs to a trace, if there was one.
    let exemplars: [Exemplar?]

    var count: Int64 { counts.reduce(0, &+) }
}

/// A value with the trace that it was measured in.
struct Exemplar: Sendable, Hashable {
    let value: Double
    /// When, in nanoseconds since 1970.
    let time: UInt64
    let context: SpanContext
}
