import Synchronization

/// Wakes one task that waits; any number of rings before it waits are one.
///
/// It rings for several reasons. That there is something new to look for is remembered also if the ring was taken for
/// another reason.
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

    /// Rings because there is something new to look for.
    func announce() {
        state.withLock { $0.hasAnnouncement = true }
        ring()
    }

    /// Whether there is something new since announcements were forgotten.
    var hasAnnouncement: Bool { state.withLock { $0.hasAnnouncement } }

    /// Forgets that there was something new, because it is going to be looked for.
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
