import Dionysus
import GRDB
import Synchronization

/// Wakes those who wait for the log to change.
///
/// Changes made through this object's broker wake them at once. Those of other processes are noticed by asking
/// SQLite for the file's data version, which costs some microseconds, and only while a reader waits.
final class LogWatch: Sendable {
    /// How long a change made by another process may go unnoticed.
    private static let interval: Duration = .milliseconds(20)

    private struct Waiter {
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var version: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        var isTicking = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let connection: DatabaseQueue
    private let dataVersion: Mutex<Int64>

    init(_ log: LogFile) throws {
        connection = try log.makeConnection()
        dataVersion = Mutex(try Self.readDataVersion(connection))
    }

    /// Grows with every change.
    ///
    /// To miss none, take it before looking at the log.
    var version: UInt64 { state.withLock { $0.version } }

    /// Wakes everybody.
    func notify() {
        let waiters = state.withLock { state in
            state.version += 1
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.continuation.resume() }
    }

    /// Waits until the version is another one, the time is over or the task is cancelled.
    func wait(since version: UInt64, until deadline: ContinuousClock.Instant) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    guard state.version == version, !state.isClosed, !Task.isCancelled, .now < deadline else {
                        return false
                    }
                    state.waiters[id] = Waiter(deadline: deadline, continuation: continuation)
                    return true
                }
                if mustWait { startTicking() } else { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
        }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        notify()
        try? connection.close()
    }

    private func startTicking() {
        let mustStart = state.withLock { state in
            defer { state.isTicking = true }
            return !state.isTicking
        }
        guard mustStart else { return }
        Cadence(every: Self.interval)
            .runOnThread { [self] in
                if hasChanged() { notify() }
                return wakeExpired()
            }
    }

    /// Wakes those whose time is over.
    /// - Returns: Whether a reader still waits; if not, the ticking ends.
    private func wakeExpired() -> Bool {
        let now = ContinuousClock.now
        let (expired, goesOn) = state.withLock { state in
            let expired = state.waiters.filter { $0.value.deadline <= now }
            for id in expired.keys { state.waiters[id] = nil }
            state.isTicking = !state.waiters.isEmpty
            return (expired, state.isTicking)
        }
        for waiter in expired.values { waiter.continuation.resume() }
        return goesOn
    }

    /// Asks SQLite.
    private func hasChanged() -> Bool {
        // A failure is found by those who then read the log themselves.
        guard let current = try? Self.readDataVersion(connection) else { return true }
        return dataVersion.withLock { last in
            defer { last = current }
            return last != current
        }
    }

    private static func readDataVersion(_ connection: DatabaseQueue) throws -> Int64 {
        try connection.unsafeRead { connection in
            try Int64.fetchOne(connection.cachedStatement(sql: "PRAGMA data_version")) ?? 0
        }
    }
}
