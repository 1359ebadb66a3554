import Synchronization

/// What waits to be sent; what comes while too much waits is not taken.
final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    private let capacity: Int
    private let threshold: Int
    private let state = Mutex(State())
    private let signal: AsyncStream<Void>.Continuation
    /// Says now and then that there is something to take, and ends when the queue is closed.
    let wakeUps: AsyncStream<Void>

    /// - Parameters:
    ///   - capacity: How many may wait.
    ///   - threshold: At how many somebody is woken who takes them.
    init(capacity: Int, threshold: Int) {
        self.capacity = capacity
        self.threshold = min(threshold, capacity)
        (wakeUps, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// - Returns: Whether there was room.
    func offer(_ element: Element) -> Bool {
        let count: Int? = state.withLock { state in
            guard state.elements.count < capacity, !state.isClosed else { return nil }
            state.elements.append(element)
            return state.elements.count
        }
        guard let count else { return false }
        if count % threshold == 0 { wake() }
        return true
    }

    /// Has whoever takes them look now.
    func wake() { signal.yield() }

    /// Ends the wake-ups, after which the rest is taken and nothing more comes.
    func finish() { signal.finish() }

    /// Takes nothing more, and says how many wait.
    func close() -> Int {
        state.withLock { state in
            state.isClosed = true
            defer { state.elements = [] }
            return state.elements.count
        }
    }

    /// Takes the oldest.
    func take(_ maximum: Int) -> [Element] {
        state.withLock { state in
            let taken = Array(state.elements.prefix(maximum))
            state.elements.removeFirst(taken.count)
            return taken
        }
    }
}
