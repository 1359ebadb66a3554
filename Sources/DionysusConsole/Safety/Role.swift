/// What somebody may do in the console.
public enum ConsoleRole: String, Sendable, Hashable, CaseIterable, Comparable {
    /// See everything that isn't masked.
    case read
    /// Also retry, skip, discard and delete, and start and stop runs.
    case operate
    /// Also see the audit log and publish tombstones.
    case admin

    private var rank: Int {
        switch self {
        case .read: 0
        case .operate: 1
        case .admin: 2
        }
    }

    public static func < (left: ConsoleRole, right: ConsoleRole) -> Bool { left.rank < right.rank }
}

/// A secret, whose it is, and what it allows.
public struct ConsoleToken: Sendable {
    /// Whose it is, for the audit log.
    package var name: String
    /// What it allows.
    package var role: ConsoleRole
    /// The secret.
    package var secret: String

    /// Creates a token.
    public init(name: String, role: ConsoleRole, secret: String) {
        self.name = name
        self.role = role
        self.secret = secret
    }
}

/// The sender of a request.
struct Identity: Sendable, Hashable {
    /// How somebody has shown who they are.
    enum Proof: Sendable, Hashable {
        /// Nothing was asked for: only this machine can reach the console.
        case machine
        /// A token in a header, which no browser sends by itself.
        case bearer
        /// A cookie of a session.
        case session(String)
        /// A header of a proxy that is trusted.
        case proxy
    }

    let name: String
    let role: ConsoleRole
    let proof: Proof
}
