import Synchronization

/// Limits how many batches a process works on at once.
final class BatchSlots: Sendable {
    private struct State {
        var free: Int
        var waiting: [(number: Int, continuation: CheckedContinuation<Void, any Error>)] = []
        var lastNumber = 0
        /// Those who were cancelled while they did not wait: before, or while they work.
        var cancelled: Set<Int> = []
    }

    private let state: Mutex<State>

    /// - Parameter count: How many batches may be worked on.
    init(_ count: Int) { state = Mutex(State(free: count)) }

    /// Does some work once a slot is free; those who wait get one in their order.
    /// - Throws: What the work throws; `CancellationError` if the task is cancelled while it waits.
    func use<T>(_ work: () async throws -> sending T) async throws -> sending T {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait($0, number) }
        } onCancel: {
            cancel(number)
        }
        defer { release(number) }
        return try await work()
    }

    private func wait(_ continuation: CheckedContinuation<Void, any Error>, _ number: Int) {
        let result = state.withLock { state -> Result<Void, any Error>? in
            if state.cancelled.remove(number) != nil { return .failure(CancellationError()) }
            guard state.free > 0 else {
                state.waiting.append((number, continuation))
                return nil
            }
            state.free -= 1
            return .success(())
        }
        if let result { continuation.resume(with: result) }
    }

    private func cancel(_ number: Int) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let place = state.waiting.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return nil
            }
            return state.waiting.remove(at: place).continuation
        }
        waiting?.resume(throwing: CancellationError())
    }

    private func release(_ number: Int) {
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            state.cancelled.remove(number)
            guard state.waiting.isEmpty else { return state.waiting.removeFirst().continuation }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}
