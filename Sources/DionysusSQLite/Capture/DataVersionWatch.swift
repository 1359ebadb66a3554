import Dionysus
import GRDB
import PrivateFiles
import Synchronization

import class Foundation.Thread
import func Foundation.usleep

/// Notices changes by asking SQLite for the file's data version every few milliseconds, and less often the longer nothing
/// changes.
///
/// Asking takes a lock on the file. So where nothing has been committed for a while, the file system is asked whether
/// anything has been written since. It asks only while it is armed, on a thread and a connection of its own.
final class DataVersionWatch: ChangeSignal {
    /// In microseconds.
    private static let shortestPause: UInt32 = 5_000
    private static let longestPause: UInt32 = 25_000

    private struct State {
        var connection: DatabaseQueue?
        var isArmed = false
        var isTicking = false
        var version: Int64 = -1
        /// Where the version was read from; nil if that may have been changed since without being seen there.
        var source: WriteAheadLog?
    }

    private let path: String
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    init(path: String, onChange: @escaping @Sendable () -> Void) {
        self.path = path
        self.onChange = onChange
    }

    func arm() async throws -> Bool {
        do {
            let mustStart = try state.withLock { state in
                if state.connection == nil { try PrivateFiles.createFile(path) }
                let connection = try state.connection ?? DatabaseQueue(path: path)
                state.connection = connection
                if !state.isArmed {
                    state.source = nil
                    state.version = try Self.version(connection)
                }
                state.isArmed = true
                defer { state.isTicking = true }
                return !state.isTicking
            }
            if mustStart { start() }
            return true
        } catch {
            throw SQLiteFailure(error, at: path).error
        }
    }

    func disarm() async { state.withLock { $0.isArmed = false } }

    func close() async {
        state.withLock { state in
            state.isArmed = false
            state.connection = nil
        }
    }

    private func start() {
        let thread = Thread { [self] in
            var pause = Self.shortestPause
            while true {
                usleep(pause)
                guard let hasChanged = tick() else { return }
                pause = hasChanged ? Self.shortestPause : min(pause + pause / 8, Self.longestPause)
            }
        }
        thread.name = "dionysus-sqlite-watch"
        thread.start()
    }

    /// - Returns: Whether something has changed; nil once the watch is over.
    private func tick() -> Bool? {
        let (hasChanged, goesOn) = state.withLock { state -> (Bool, Bool) in
            guard state.isArmed, let connection = state.connection else {
                state.isTicking = false
                return (false, false)
            }
            let source = WriteAheadLog(ofDatabaseAt: path)
            if let source, source == state.source { return (false, true) }
            state.source = source?.isSettled == true ? source : nil
            // A failure is found by those who then read the outbox themselves.
            let version = (try? Self.version(connection)) ?? state.version &+ 1
            defer { state.version = version }
            return (version != state.version, true)
        }
        if hasChanged { onChange() }
        return goesOn ? hasChanged : nil
    }

    private static func version(_ connection: DatabaseQueue) throws -> Int64 {
        try connection.unsafeRead { database in
            try Int64.fetchOne(database.cachedStatement(sql: "PRAGMA data_version")) ?? 0
        }
    }
}
