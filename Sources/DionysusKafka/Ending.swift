import Synchronization

/// A one-time completion signal of an object with its own thread.
final class Ending: Sendable {
    private struct State {
        var hasBegun = false
        var hasCome = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    var hasCome: Bool { state.withLock { $0.hasCome } }

    func begin() { state.withLock { $0.hasBegun = true } }

    func complete() {
        let waiting = state.withLock { state in
            state.hasBegun = true
            state.hasCome = true
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasCome = state.withLock { state in
                if !state.hasCome { state.waiting.append(continuation) }
                return state.hasCome
            }
            if hasCome { continuation.resume() }
        }
    }
}
