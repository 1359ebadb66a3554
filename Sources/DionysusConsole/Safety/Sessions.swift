import Synchronization

/// Who has logged in with a browser, and how often logging in has failed.
///
/// It lives as long as the process, so that a restart ends all sessions.
final class Sessions: Sendable {
    private struct Session {
        let name: String
        let role: ConsoleRole
        let end: ContinuousClock.Instant
    }

    private struct State {
        var sessions: [String: Session] = [:]
        var failures: [String: [ContinuousClock.Instant]] = [:]
    }

    /// How long a session lasts.
    static let lifetime = Duration.seconds(12 * 3600)
    /// How many failures from one address are answered within ``window``.
    static let maxFailures = 10
    static let window = Duration.seconds(60)
    /// Sessions and addresses that are remembered; with more, the oldest are forgotten.
    private static let capacity = 10_000

    private let state = Mutex(State())

    /// Begins a session.
    /// - Returns: Its id, for the cookie.
    func begin(_ token: ConsoleToken) -> String {
        let id = Secret.random()
        state.withLock { state in
            state.sessions = state.sessions.filter { $0.value.end > .now }
            if state.sessions.count >= Self.capacity,
                let oldest = state.sessions.min(by: { $0.value.end < $1.value.end })
            {
                state.sessions[oldest.key] = nil
            }
            state.sessions[id] = Session(name: token.name, role: token.role, end: .now + Self.lifetime)
        }
        return id
    }

    func end(_ id: String) { state.withLock { $0.sessions[id] = nil } }

    /// Who a session belongs to.
    func identity(_ id: String) -> Identity? {
        state.withLock { state in
            guard let session = state.sessions[id], session.end > .now else { return nil }
            return Identity(name: session.name, role: session.role, proof: .session(id))
        }
    }

    /// Whether an address has to wait before it may try another token.
    func isBlocked(_ address: String) -> Bool {
        state.withLock { state in
            let recent = state.failures[address]?.filter { $0 > .now - Self.window } ?? []
            return recent.count >= Self.maxFailures
        }
    }

    /// Notes that a token was wrong.
    func noteFailure(of address: String) {
        state.withLock { state in
            let recent = state.failures[address]?.filter { $0 > .now - Self.window } ?? []
            state.failures[address] = recent.suffix(Self.maxFailures) + [.now]
            guard state.failures.count > Self.capacity else { return }
            state.failures = state.failures.filter { $0.value.contains { $0 > .now - Self.window } }
            if state.failures.count > Self.capacity { state.failures = [address: [.now]] }
        }
    }
}
