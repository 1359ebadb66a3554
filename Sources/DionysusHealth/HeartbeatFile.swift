public import Dionysus
import Foundation
public import Logging
import Synchronization

/// A heartbeat in a small file, from which other processes of the machine tell how a service is.
///
///     instrumentation.heartbeat = try HeartbeatFile(.relay, clientID: "bookings")
///
/// The file is replaced as a whole, at most once a second. Services of one role that share client id and directory share
/// the file too: as long as one of them lives, it says so.
public final class HeartbeatFile: Heartbeat {
    private struct State {
        var written: ContinuousClock.Instant?
        var state: VitalSign.State?
        var lastProgress = Timestamp.now
        var hasFailed = false
    }

    private static let interval = Duration.seconds(1)

    private let role: ServiceRole
    private let location: URL
    private let logger: Logger
    private let state = Mutex(State())

    /// Creates a heartbeat, and its directory if that is missing.
    /// - Parameters:
    ///   - role: What kind of service writes it.
    ///   - clientID: The name under which the service is known to the broker.
    ///   - directory: Where the file is. It should be the service's own user's alone.
    ///   - logger: Where it says that the file could not be written.
    /// - Throws: ``Dionysus/DionysusError`` with code `configuration` if nothing can be written there.
    public init(
        _ role: ServiceRole,
        clientID: String,
        directory: String = defaultDirectory,
        logger: Logger = Logger(label: "dionysus.heartbeat")
    ) throws {
        self.role = role
        self.logger = logger
        location = Self.location(of: role, clientID: clientID, in: directory)
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try write(VitalSign(.starting), at: .now)
        } catch {
            throw DionysusError(
                .configuration,
                "a heartbeat can't be written to \(location.path)",
                advice: "let heartbeatDirectory name a directory that the service may write to",
                underlying: error
            )
        }
    }

    /// Where heartbeats are unless another directory is chosen: a folder of the user's among the system's temporary files.
    public static var defaultDirectory: String {
        URL(filePath: NSTemporaryDirectory()).appending(path: "dionysus-\(getuid())").path
    }

    static func location(of role: ServiceRole, clientID: String, in directory: String) -> URL {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_"))
        let name = clientID.addingPercentEncoding(withAllowedCharacters: allowed) ?? "client"
        return URL(filePath: directory).appending(path: "\(role.rawValue)-\(name).json")
    }

    public func record(_ vital: VitalSign) {
        let now = Timestamp.now
        let progress: Timestamp? = state.withLock { state in
            if vital.madeProgress { state.lastProgress = now }
            if state.state == vital.state, let written = state.written, .now - written < Self.interval { return nil }
            (state.written, state.state) = (.now, vital.state)
            return state.lastProgress
        }
        guard let progress else { return }
        do {
            try write(vital, at: progress)
            state.withLock { $0.hasFailed = false }
        } catch {
            let isNew = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            if isNew { logger.warning("the heartbeat could not be written to \(location.path): \(error)") }
        }
    }

    private func write(_ vital: VitalSign, at time: Timestamp) throws {
        let record = HeartbeatRecord(
            processID: getpid(),
            role: role,
            time: time,
            state: vital.state,
            problem: vital.problem
        )
        try Data(record.json.bytes).write(to: location, options: .atomic)
    }
}
