import Synchronization

/// Counts arrivals, for one waiting task.
final class Arrivals: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func add(_ count: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.count += count
            guard state.count >= 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits for a further number of arrivals.
    func wait(for count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                state.count -= count
                guard state.count < 0 else { return true }
                state.waiter = continuation
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
