import Dionysus
import Synchronization

/// The log that all clients of an in-memory broker share.
final class InMemoryLog: Sendable {
    private struct Content {
        var state = LogState()
        /// Counts the changes, so that nobody waits for a change that has already happened.
        var version: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let content = Mutex(Content())

    /// Accesses the state without waking waiters.
    func look<T>(_ body: (inout LogState) throws -> sending T) rethrows -> sending T {
        try content.withLock { try body(&$0.state) }
    }

    /// Changes the state and wakes waiters.
    func change<T>(_ body: (inout LogState) throws -> sending T) rethrows -> sending T {
        defer { wake() }
        return try content.withLock { try body(&$0.state) }
    }

    /// The number of changes so far.
    var version: UInt64 { content.withLock { $0.version } }

    /// Waits for a change, until a deadline or until the task is cancelled.
    /// - Parameters:
    ///   - version: The version that the caller has seen.
    func wait(since version: UInt64, until deadline: ContinuousClock.Instant) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.changed(since: version) }
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wake() {
        let waiting = content.withLock { content in
            content.version += 1
            defer { content.waiting = [:] }
            return Array(content.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    private func changed(since version: UInt64) async {
        let id = content.withLock { content in
            content.nextWaiter += 1
            return content.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayWait = content.withLock { content in
                    guard content.version == version, !Task.isCancelled else { return false }
                    content.waiting[id] = continuation
                    return true
                }
                if !mayWait { continuation.resume() }
            }
        } onCancel: {
            content.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
