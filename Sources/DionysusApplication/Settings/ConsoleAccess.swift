/// How the console is reached, and who may do what in it.
public struct ConsoleAccess: Sendable {
    /// What somebody may do.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        /// See everything that isn't masked.
        case read
        /// Also retry, skip, discard and delete, and start and stop runs.
        case operate
        /// Also see the audit log and publish tombstones.
        case admin
    }

    /// A secret, whose it is, and what it allows.
    public struct Token: Sendable, Hashable {
        /// Whose it is, for the audit log.
        package var name: String
        /// What it allows.
        package var role: Role
        /// The secret: at least 16 characters.
        package var secret: String

        /// Creates a token.
        public init(name: String, role: Role, secret: String) {
            self.name = name
            self.role = role
            self.secret = secret
        }
    }

    /// The address to listen on.
    ///
    /// Beyond this machine only with a token or a trusted header. Default `127.0.0.1`.
    public var host = "127.0.0.1"
    /// The port.
    ///
    /// Default 8086.
    public var port = 8086
    /// The path under which its pages are, without a slash at the end.
    ///
    /// Default empty: they are at the root.
    public var basePath = ""
    /// Who may use it.
    ///
    /// Default none: whoever works on the machine may do everything.
    public var tokens: [Token] = []
    /// The header in which a proxy says who asks.
    ///
    /// Default nil.
    public var trustedHeader: String?
    /// The role of users that the proxy names.
    ///
    /// Default `read`.
    public var trustedRole = Role.read
    /// The addresses of proxies whose header is believed.
    ///
    /// Default this machine.
    public var trustedProxies = ["127.0.0.1", "::1"]
    /// The names under which it is reached where no token is asked for, besides this machine's own.
    ///
    /// Default none.
    public var hostNames: [String] = []
    /// Whether nothing can be changed, whoever asks.
    ///
    /// Default false.
    public var isReadOnly = false
    /// The members of payloads, and columns, whose values nobody sees.
    ///
    /// Default none.
    public var maskedMembers: [String] = []
    /// Whether cookies are sent over TLS only, for a console behind a proxy that speaks it.
    ///
    /// Default false.
    public var usesSecureCookies = false
    /// Whether relays and consumers write figures to their databases every ten seconds, for the console's charts.
    ///
    /// Default true.
    public var recordsSamples = true

    /// Creates an access with its defaults.
    public init() {}

    /// Parses `ROLE:NAME=SECRET;…`.
    static func tokens(_ text: String) -> [Token]? {
        var tokens: [Token] = []
        for part in text.split(separator: ";") {
            let sides = part.split(separator: "=", maxSplits: 1).map(String.init)
            let names = (sides.first ?? "").split(separator: ":", maxSplits: 1).map(String.init)
            guard sides.count == 2, names.count == 2, let role = Role(rawValue: names[0]), !names[1].isEmpty else {
                return nil
            }
            tokens.append(Token(name: names[1], role: role, secret: sides[1]))
        }
        return tokens
    }
}
