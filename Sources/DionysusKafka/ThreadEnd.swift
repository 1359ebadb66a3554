import Synchronization

/// The end of something that runs on its own thread, for others to wait for.
final class ThreadEnd: Sendable {
    private enum Phase {
        case running
        /// It is to end.
        case ending
        case ended
    }

    private struct State {
        var phase = Phase.running
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Whether it is to end, or has ended.
    var hasBegun: Bool { state.withLock { $0.phase != .running } }

    /// Whether it has ended.
    var hasCome: Bool { state.withLock { $0.phase == .ended } }

    func begin() { state.withLock { if $0.phase == .running { $0.phase = .ending } } }

    func complete() {
        let waiting = state.withLock { state in
            state.phase = .ended
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasCome = state.withLock { state in
                if state.phase != .ended { state.waiting.append(continuation) }
                return state.phase == .ended
            }
            if hasCome { continuation.resume() }
        }
    }
}
