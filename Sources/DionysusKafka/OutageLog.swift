import Dionysus
import Logging
import Synchronization

/// Logs an outage of the brokers once when it begins and once when it ends, whatever librdkafka logs meanwhile.
///
/// Versions of librdkafka differ in how often they report a failed connection: every half minute, or for each attempt
/// of each client. All clients of a cluster share this object.
final class OutageLog: Sendable {
    private struct State {
        var isOut = false
        var reason: String?
    }

    private let location: String
    private let logger: Logger
    private let state = Mutex(State())

    init(location: String, logger: Logger) {
        self.location = location
        self.logger = logger
    }

    /// librdkafka's facilities of log lines about failed connections.
    static let facilities: Set<String> = [
        "FAIL", "ERROR", "BROKERFAIL", "CONNFAIL", "RESOLVE", "CLOSE", "TIMEOUT", "REQTMOUT",
    ]

    /// A connection failed; that alone is not an outage, because others may exist.
    func failed(_ reason: String) {
        state.withLock { $0.reason = reason }
        logger.debug("\(reason)")
    }

    /// All broker connections are lost.
    func begin() {
        let reason = state.withLock { state -> String?? in
            guard !state.isOut else { return nil }
            state.isOut = true
            return .some(state.reason)
        }
        guard let reason else { return }
        logger.warning("no broker of \(location) can be reached\(reason.map { ": \($0)" } ?? ""); trying again")
    }

    /// A broker has answered.
    func end() {
        let wasOut = state.withLock { state in
            defer { state = State() }
            return state.isOut
        }
        if wasOut { logger.notice("\(location) can be reached again") }
    }
}
