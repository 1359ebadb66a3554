/// Where a relay and a consumer serve probes and metrics.
public struct HTTPSettings: Sendable {
    /// The address to listen on.
    ///
    /// Beyond this machine only with a token. Default `127.0.0.1`.
    public var host = "127.0.0.1"
    /// The port; nil for none.
    ///
    /// Default nil.
    public var port: Int?
    /// What requests for metrics, and for the reasons of probes, have to show as `Authorization: Bearer TOKEN`.
    ///
    /// Default nil.
    public var token: String?

    /// Creates settings with their defaults.
    public init() {}
}
