import Dionysus
import Foundation

/// Tells from their heartbeats how services are.
///
///     let report = Health(clientID: "bookings").report(on: .relay, .ready)
///     if let reason = report.reason { print("not ready: \(reason)") }
public struct Health: Sendable {
    /// What is asked.
    public enum Question: String, Sendable, Hashable, CaseIterable {
        /// Whether the service gets on, if only in waiting for what it needs; if not, starting it again helps.
        case live
        /// Whether the service does its work.
        case ready
    }

    /// The answer.
    public struct Report: Sendable, Hashable {
        /// Why the answer is no; nil if it is yes.
        public let reason: String?
        /// What the heartbeat says, if there is one.
        public let heartbeat: HeartbeatRecord?
        /// How old it is.
        public let age: Duration?

        /// Whether the answer is yes.
        public var isHealthy: Bool { reason == nil }
    }

    private let clientID: String
    private let directory: String

    /// Creates a view of the heartbeats in a directory.
    /// - Parameters:
    ///   - clientID: The name under which the services are known to the broker.
    ///   - directory: Where the heartbeats are.
    public init(clientID: String, directory: String = HeartbeatFile.defaultDirectory) {
        self.clientID = clientID
        self.directory = directory
    }

    /// Tells how a service is.
    /// - Parameters:
    ///   - role: What kind of service.
    ///   - question: What is asked.
    ///   - maxAge: How old the heartbeat may be.
    /// - Returns: The answer.
    public func report(
        on role: ServiceRole,
        _ question: Question = .ready,
        maxAge: Duration = .seconds(30)
    ) -> Report {
        let location = HeartbeatFile.location(of: role, clientID: clientID, in: directory)
        guard let bytes = try? Data(contentsOf: location) else {
            return Report(reason: "there is no heartbeat at \(location.path)", heartbeat: nil, age: nil)
        }
        guard let heartbeat = HeartbeatRecord(Array(bytes)), heartbeat.role == role else {
            return Report(reason: "\(location.path) is no heartbeat of a \(role.rawValue)", heartbeat: nil, age: nil)
        }
        let age = Duration.microseconds(max(0, Timestamp.now.microseconds - heartbeat.time.microseconds))
        let reason = Self.reason(heartbeat, age, question, maxAge)
        return Report(reason: reason, heartbeat: heartbeat, age: age)
    }

    private static func reason(
        _ heartbeat: HeartbeatRecord,
        _ age: Duration,
        _ question: Question,
        _ maxAge: Duration
    ) -> String? {
        let service = "the \(heartbeat.role.rawValue)"
        let why = heartbeat.problem.map { ": \($0)" } ?? ""
        if heartbeat.state == .stopped { return "\(service) has stopped\(why)" }
        let seconds = age.components.seconds
        if !isRunning(heartbeat.processID) {
            return "\(service)'s process \(heartbeat.processID) is gone, \(seconds) s after its last heartbeat\(why)"
        }
        if age > maxAge {
            return "\(service)'s last heartbeat is \(seconds) s old, more than \(maxAge.components.seconds) s\(why)"
        }
        guard question == .ready else { return nil }
        switch heartbeat.state {
        case .starting: return "\(service) is still starting\(why)"
        case .stopping: return "\(service) is shutting down\(why)"
        case .ready, .stopped: return heartbeat.problem
        }
    }

    /// Signal 0 asks only whether the process exists; that it belongs to somebody else is an answer too.
    private static func isRunning(_ processID: Int32) -> Bool { kill(processID, 0) == 0 || errno != ESRCH }
}
