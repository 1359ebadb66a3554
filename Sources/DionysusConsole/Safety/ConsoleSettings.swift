/// How a console is reached, and what it shows and allows.
public struct ConsoleSettings: Sendable {
    /// The path under which its pages are, without a slash at the end.
    ///
    /// Default empty: they are at the root.
    public var basePath = ""
    /// Who may use it.
    ///
    /// Without a token and a ``trustedHeader``, whoever can reach it may do everything: it then answers only requests to
    /// this machine's own names. Default none.
    public var tokens: [ConsoleToken] = []
    /// The header in which a proxy says who asks: `X-Forwarded-User`.
    ///
    /// It counts only in connections from ``trustedProxies``. Default nil.
    public var trustedHeader: String?
    /// The role of users that the proxy names.
    ///
    /// Default `read`.
    public var trustedRole = ConsoleRole.read
    /// The addresses of proxies whose header is believed.
    ///
    /// Default this machine.
    public var trustedProxies: Set<String> = ["127.0.0.1", "::1"]
    /// The names under which the console is reached where no token is asked for, besides this machine's own.
    ///
    /// Default none.
    public var hostNames: Set<String> = []
    /// Whether nothing can be changed, whoever asks.
    ///
    /// Default false.
    public var isReadOnly = false
    /// The members of payloads, and columns, whose values nobody sees.
    ///
    /// Default none.
    public var maskedMembers: Set<String> = []
    /// How many pages can be live at once; others are asked again every few seconds.
    ///
    /// Default 100.
    public var maxStreams = 100
    /// Whether cookies are sent over TLS only, for a console behind a proxy that speaks it.
    ///
    /// Default false.
    public var usesSecureCookies = false

    /// Creates settings with their defaults.
    public init() {}

    /// Whether whoever can reach the console may use it.
    var isOpen: Bool { tokens.isEmpty && trustedHeader == nil }
}
