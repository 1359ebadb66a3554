import Dionysus
public import Foundation

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
        package let heartbeat: HeartbeatRecord?
        /// How old it is.
        package let age: Duration?

        /// Whether the answer is yes.
        public var isHealthy: Bool { reason == nil }
    }

    /// How far in the future a heartbeat may be, because the clock was set back.
    private static let clockSkew = Duration.seconds(5)

    private let clientID: String
    private let application: String
    private let place: String
    private let directory: String?

    /// Creates a view of heartbeats.
    ///
    /// It has to be created with what the heartbeats were created with, by the user that the services run as: reports
    /// of other users' processes don't count.
    /// - Parameters:
    ///   - clientID: The name under which the services are known to the broker.
    ///   - application: The application that they belong to.
    ///   - place: What tells them from others of the same names. The working directory by default.
    ///   - directory: Where the heartbeats are. By default where ``HeartbeatFile`` puts them.
    public init(
        clientID: String,
        application: String = "",
        place: String = FileManager.default.currentDirectoryPath,
        directory: String? = nil
    ) {
        self.clientID = clientID
        self.application = application
        self.place = place
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
        let identity = HeartbeatIdentity(role: role, application: application, clientID: clientID, place: place)
        let name = identity.fileName
        let directories = HeartbeatDirectory.existing(chosen: directory)
        let found = directories.compactMap { directory in
            HeartbeatStorage.read(name, in: directory).map { (path: "\(directory.path)/\(name)", bytes: $0) }
        }
        guard let first = found.first else {
            let places = directories.isEmpty ? [directory ?? NSTemporaryDirectory()] : directories.map(\.path)
            let reason = "there is no heartbeat of a \(role.rawValue) in \(places.joined(separator: " or "))"
            return Report(reason: reason, heartbeat: nil, age: nil)
        }
        let reports = found.compactMap { HeartbeatRecord($0.bytes) }.filter { $0.role == role }
            .map { Self.report(on: $0, question, maxAge) }
        // Of several, which a service has left in other places, the last to have been written.
        guard let latest = reports.max(by: { ($0.heartbeat?.time ?? .now) < ($1.heartbeat?.time ?? .now) }) else {
            return Report(reason: "\(first.path) is no heartbeat of a \(role.rawValue)", heartbeat: nil, age: nil)
        }
        return reports.first(where: \.isHealthy) ?? latest
    }

    static func report(on heartbeat: HeartbeatRecord, _ question: Question, _ maxAge: Duration) -> Report {
        let age = Duration.microseconds(Timestamp.now.microseconds(since: heartbeat.time))
        return Report(
            reason: reason(heartbeat, age, question, maxAge),
            heartbeat: heartbeat,
            age: max(.zero, age)
        )
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
        guard age >= .zero - clockSkew else {
            return "\(service)'s last heartbeat is \(-seconds) s in the future: the clock was set back, or it is forged"
        }
        guard let process = ServiceProcess(heartbeat.processID), process.start == heartbeat.processStart else {
            return "\(service)'s process \(heartbeat.processID) is gone, \(seconds) s after its last heartbeat\(why)"
        }
        guard process.user == geteuid() else {
            return "process \(heartbeat.processID), which \(service)'s heartbeat names, is another user's"
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
}
