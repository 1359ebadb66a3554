import Dionysus
import Synchronization

/// Requests from tasks to a consumer's thread.
final class ConsumerInbox: Sendable {
    /// A task that waits for the next event.
    struct Waiter: Sendable {
        let id: UInt64
        let maxMessages: Int
        let maxBytes: Int
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<ConsumerEvent?, any Error>
    }

    enum Request: Sendable {
        case next(Waiter)
        case cancelNext(UInt64)
        case perform(@Sendable (ConsumerSession) throws -> Void, CheckedContinuation<Void, any Error>)
        case close
    }

    private struct State {
        var requests: [Request] = []
        var lastWaiter: UInt64 = 0
        var isShut = false
    }

    private let state = Mutex(State())
    /// The client's problem with the brokers, if any; set by the thread.
    let outage = Mutex<DionysusError?>(nil)
    /// Wakes the thread for requests and for events in librdkafka's queues.
    let wakeup = Wakeup()

    /// - Returns: Whether the thread will answer; false if it has ended.
    func post(_ request: Request) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isShut else { return false }
            state.requests.append(request)
            return true
        }
        if isTaken { wakeup.signal() }
        return isTaken
    }

    func makeWaiterID() -> UInt64 {
        state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
    }

    func take() -> [Request] {
        state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
    }

    /// Takes no more requests.
    /// - Returns: The requests that were not looked at.
    func shut() -> [Request] {
        state.withLock { state in
            state.isShut = true
            defer { state.requests = [] }
            return state.requests
        }
    }
}
