import Synchronization

/// Wakes one waiting task; several rings before it waits count as one.
///
/// It rings for several reasons. An announcement is remembered even if another ring has woken the task.
final class Doorbell: Sendable {
    private struct State {
        var hasRung = false
        var hasAnnouncement = false
        var isCancelled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Wakes the task, or keeps it from waiting.
    func ring() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.hasRung = true }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Rings because something has changed.
    func announce() {
        state.withLock { $0.hasAnnouncement = true }
        ring()
    }

    /// Whether anything has changed since announcements were forgotten.
    var hasAnnouncement: Bool { state.withLock { $0.hasAnnouncement } }

    /// Forgets announcements, because the caller is about to look.
    func forgetAnnouncements() { state.withLock { $0.hasAnnouncement = false } }

    /// Waits for a ring, at most for a time.
    func wait(atMost duration: Duration) async {
        guard duration > .zero else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { await self.ringing() }
            await group.next()
            group.cancelAll()
        }
        state.withLock { $0.isCancelled = false }
    }

    private func ringing() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard !state.hasRung, !state.isCancelled else {
                        state.hasRung = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                if state.waiter == nil { state.isCancelled = true }
                return state.waiter
            }
            waiter?.resume()
        }
    }
}
