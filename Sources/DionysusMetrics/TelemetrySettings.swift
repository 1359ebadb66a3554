/// What telemetry is collected, and where it goes.
public struct TelemetrySettings: Sendable {
    /// How what waits to be sent is bounded.
    public struct Queue: Sendable, Hashable {
        /// How many may wait; what more there is gets lost, and is counted.
        public var capacity: Int
        /// How many are sent at once, at most.
        public var batchSize: Int
        /// How long they wait for others.
        public var delay: Duration
    }

    /// Who sends, as OpenTelemetry describes it: `service.name` and others.
    public var resource: [String: String]
    /// Whether metrics are collected to be scraped.
    ///
    /// Default true.
    public var servesMetrics = true
    /// Where metrics are sent to; nil for nowhere.
    public var metrics: OTLPEndpoint?
    /// Where spans are sent to; nil for nowhere.
    public var traces: OTLPEndpoint?
    /// Where log messages are sent to; nil for nowhere.
    public var logs: OTLPEndpoint?
    /// How often metrics are sent.
    ///
    /// Default 60 s.
    public var metricInterval = Duration.seconds(60)
    /// Which traces are recorded.
    ///
    /// Default those that whoever began them records, and all that begin here.
    public var sampler = Sampler.parentBased(.alwaysOn)
    /// Whether buckets of distributions keep the trace of one of their values.
    ///
    /// Default true.
    public var hasExemplars = true
    /// The spans that wait.
    ///
    /// Default 2,048, 512 at once, after 5 s.
    public var spanQueue = Queue(capacity: 2_048, batchSize: 512, delay: .seconds(5))
    /// The log messages that wait.
    ///
    /// Default 2,048, 512 at once, after 1 s.
    public var logQueue = Queue(capacity: 2_048, batchSize: 512, delay: .seconds(1))
    /// How often it is tried to send something.
    public var retries = RetryPolicy()
    /// How long the end may take in which everything is sent that waits.
    ///
    /// Default 5 s.
    public var shutdownTimeout = Duration.seconds(5)
    /// How much metrics may take.
    public var metricLimits = MetricLimits()
    /// Where the buckets of distributions end.
    public var bounds = HistogramBounds()
    /// What metrics of the application's own are about, by name.
    public var descriptions: [String: MetricDescription] = [:]
    /// How much a span may hold.
    public var spanLimits = SpanLimits()

    /// Creates settings with their defaults, by which nothing is sent.
    /// - Parameter serviceName: The service's name, as OpenTelemetry has it.
    public init(serviceName: String) { resource = ["service.name": serviceName] }

    /// Whether anything is sent.
    package var sends: Bool { metrics != nil || traces != nil || logs != nil }
}
