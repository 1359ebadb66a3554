public import Dionysus
public import Foundation
public import Logging
import Synchronization

/// A heartbeat in a small file, from which other processes of the machine tell how a service is.
///
///     instrumentation.heartbeat = try HeartbeatFile(.relay, clientID: "bookings")
///
/// The file is replaced as a whole, at most once a second. Services of one role that share application, client id, place
/// and directory share the file too: as long as one of them lives, it says so.
public final class HeartbeatFile: Heartbeat {
    private struct State {
        var directory: HeartbeatDirectory
        var written: ContinuousClock.Instant?
        var state: VitalSign.State?
        var lastProgress = Timestamp.now
        var hasFailed = false
    }

    private static let interval = Duration.seconds(1)

    private let identity: HeartbeatIdentity
    private let chosenDirectory: String?
    private let start: String?
    private let logger: Logger
    private let state: Mutex<State>

    /// Creates a heartbeat, and its directory if that is missing.
    /// - Parameters:
    ///   - role: What kind of service writes it.
    ///   - clientID: The name under which the service is known to the broker.
    ///   - application: The application that the service belongs to.
    ///   - place: What tells the service from others of the same names on the machine, such as its database. The working
    ///     directory by default.
    ///   - directory: Where the file is. If other users can write there, a directory of the user's own is made within it.
    ///     By default the user's runtime directory, or a directory among the system's temporary files. What another user
    ///     has put in its place isn't used; another is found then, by ``Health`` too.
    ///   - logger: Where it says that the file could not be written, or is elsewhere.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` if nothing can be written there.
    public init(
        _ role: ServiceRole,
        clientID: String,
        application: String = "",
        place: String = FileManager.default.currentDirectoryPath,
        directory: String? = nil,
        logger: Logger = Logger(label: "dionysus.heartbeat")
    ) throws {
        self.logger = logger
        identity = HeartbeatIdentity(role: role, application: application, clientID: clientID, place: place)
        chosenDirectory = directory
        start = ServiceProcess.current?.start
        do {
            let prepared = try HeartbeatDirectory.prepared(chosen: directory) { logger.warning("\($0)") }
            state = Mutex(State(directory: prepared))
            try write(VitalSign(.starting), at: .now, in: prepared)
        } catch {
            let reason = (error as? HeartbeatDirectory.Refusal).map { " (\($0.reason))" } ?? ""
            throw DionysusError(
                .configuration,
                "no heartbeat can be written\(directory.map { " to \($0)" } ?? "")\(reason)",
                advice: "let heartbeatDirectory name a directory that the service may write to",
                underlying: error
            )
        }
    }

    public func record(_ vital: VitalSign) {
        let now = Timestamp.now
        let due: (progress: Timestamp, directory: HeartbeatDirectory)? = state.withLock { state in
            if vital.madeProgress { state.lastProgress = now }
            if state.state == vital.state, let written = state.written, .now - written < Self.interval { return nil }
            (state.written, state.state) = (.now, vital.state)
            return (state.lastProgress, state.directory)
        }
        guard let due else { return }
        do {
            do {
                try write(vital, at: due.progress, in: due.directory)
            } catch {
                // The directory may be gone: what cleans up among temporary files, or the end of a session, takes it.
                let prepared = try HeartbeatDirectory.prepared(chosen: chosenDirectory) { _ in }
                try write(vital, at: due.progress, in: prepared)
                state.withLock { $0.directory = prepared }
            }
            state.withLock { $0.hasFailed = false }
        } catch {
            let isNew = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            if isNew { logger.warning("the heartbeat could not be written to \(due.directory.path): \(error)") }
        }
    }

    private func write(_ vital: VitalSign, at time: Timestamp, in directory: HeartbeatDirectory) throws {
        let record = HeartbeatRecord(
            processID: getpid(),
            processStart: start,
            role: identity.role,
            time: time,
            state: vital.state,
            problem: vital.problem
        )
        try HeartbeatStorage.write(record.json.bytes, to: identity.fileName, in: directory)
    }
}
