/// Where telemetry of a kind is sent to, and how.
public struct OTLPEndpoint: Sendable, Hashable {
    /// The whole address: `http://localhost:4318/v1/traces`.
    public var url: String
    /// Headers of every request, such as those by which the collector knows who sends.
    ///
    /// They are never logged.
    public var headers: [String: String] = [:]
    /// How long to wait for the collector's answer.
    ///
    /// Default 10 s.
    public var timeout = Duration.seconds(10)
    /// Whether requests are compressed with gzip.
    ///
    /// Default false.
    public var compresses = false
    /// A file with the authorities that the collector's certificate is verified with, in PEM; nil for the system's.
    public var authoritiesFile: String?
    /// A file with the certificate that is shown to the collector, in PEM.
    public var certificateFile: String?
    /// A file with the certificate's key, in PEM.
    public var keyFile: String?

    /// Creates an endpoint.
    /// - Parameter url: The whole address.
    public init(url: String) { self.url = url }
}

/// How often it is tried to send something.
public struct RetryPolicy: Sendable, Hashable {
    /// The pause after the first failure; every further one is twice as long, more or less.
    ///
    /// Default 1 s.
    public var firstPause = Duration.seconds(1)
    /// The longest pause.
    ///
    /// Default 30 s.
    public var longestPause = Duration.seconds(30)
    /// After how long it is given up.
    ///
    /// Default 30 s.
    public var limit = Duration.seconds(30)

    /// Creates a policy with its defaults.
    public init() {}
}
