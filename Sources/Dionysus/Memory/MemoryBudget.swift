import CMalloc
import Synchronization

/// Limits the memory of a process's work in progress: its rows and messages.
///
///     settings.memoryBudget = MemoryBudget(megabytes: 64)
///
/// Each piece of work reserves approximately the memory that it needs, waits in turn until that is free, and releases
/// it when it is done. Work that is larger than the whole budget runs alone. Both sides of a process share a budget if
/// their settings have the same one.
public final class MemoryBudget: Sendable {
    /// The default size in bytes: 96 MB.
    public static let standardSize = 96 << 20
    /// The smallest useful size in bytes: 1 MB.
    package static let smallestSize = 1 << 20

    private struct State {
        var held = 0
        var waiting: [Waiter] = []
        var lastNumber = 0
        /// Waiters that were cancelled before they began to wait.
        var cancelled: Set<Int> = []
    }

    private struct Waiter {
        let number: Int
        let bytes: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    /// The maximum that may be reserved at once, in bytes.
    package let size: Int
    private let state = Mutex(State())

    /// Creates a budget without reservations.
    public init(bytes: Int = MemoryBudget.standardSize) { size = max(1, bytes) }

    /// Creates a budget without reservations.
    /// - Parameter megabytes: Its size; a megabyte has 1024 × 1024 bytes.
    public convenience init(megabytes: Int) { self.init(bytes: max(0, min(megabytes, Int(Int32.max))) << 20) }

    /// What is wrong with the size; nil if it is valid.
    package var fault: String? {
        size < Self.smallestSize ? "memoryBudget must be at least \(Self.smallestSize >> 20) MB" : nil
    }

    /// Whether work of a size takes more than the whole budget, and therefore runs alone.
    package func isExceeded(by bytes: Int) -> Bool { bytes > size }

    /// The reserved bytes.
    package var held: Int { state.withLock(\.held) }

    /// The number of waiters.
    package var waiting: Int { state.withLock(\.waiting.count) }

    /// Waits until enough memory is free, and reserves it.
    ///
    /// Waiters are served in order. A holder of a reservation must not wait for another one, because that could
    /// deadlock.
    /// - Parameter bytes: The size; more than the whole budget is granted only if nothing else is reserved.
    /// - Returns: The reservation, which ends when it is released or deallocated.
    /// - Throws: `CancellationError` if the task is cancelled while it waits.
    package func reserve(_ bytes: Int) async throws -> Reservation {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        defer { _ = state.withLock { $0.cancelled.remove(number) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait(Waiter(number: number, bytes: bytes, continuation: $0)) }
        } onCancel: {
            cancel(number)
        }
        return Reservation(self, bytes)
    }

    /// Reserves memory if it is free and nobody waits.
    package func reserveIfFree(_ bytes: Int) -> Reservation? {
        let isTaken = state.withLock { state in
            guard state.waiting.isEmpty, fits(bytes, state) else { return false }
            state.held += bytes
            return true
        }
        return isTaken ? Reservation(self, bytes) : nil
    }

    /// A reserved part of a budget.
    package final class Reservation: Sendable {
        private let budget: MemoryBudget
        private let bytes: Mutex<Int>

        fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = Mutex(bytes)
            // The C library may keep what large work before this has freed, which would come on top.
            if bytes > MemoryBudget.standardSize, budget.isExceeded(by: bytes) { return_freed_memory() }
        }

        deinit { release() }

        /// Ends the reservation; further calls have no effect.
        package func release() { shrink(to: 0) }

        /// Shrinks the reservation to what is still needed.
        package func shrink(to rest: Int) {
            let freed = bytes.withLock { bytes in
                defer { bytes = min(bytes, max(0, rest)) }
                return bytes - min(bytes, max(0, rest))
            }
            if freed > 0 { budget.release(freed) }
        }
    }

    private func fits(_ bytes: Int, _ state: State) -> Bool { state.held == 0 || bytes <= size - state.held }

    private func wait(_ waiter: Waiter) {
        let result = state.withLock { state -> Result<Void, any Error>? in
            if state.cancelled.contains(waiter.number) { return .failure(CancellationError()) }
            guard state.waiting.isEmpty, fits(waiter.bytes, state) else {
                state.waiting.append(waiter)
                return nil
            }
            state.held += waiter.bytes
            return .success(())
        }
        if let result { waiter.continuation.resume(with: result) }
    }

    private func cancel(_ number: Int) {
        let (cancelled, served) = state.withLock { state -> (Waiter?, [Waiter]) in
            guard let place = state.waiting.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return (nil, [])
            }
            return (state.waiting.remove(at: place), serve(&state))
        }
        cancelled?.continuation.resume(throwing: CancellationError())
        for waiter in served { waiter.continuation.resume() }
    }

    private func release(_ bytes: Int) {
        let served = state.withLock { state in
            state.held -= bytes
            return serve(&state)
        }
        for waiter in served { waiter.continuation.resume() }
    }

    /// Grants the first waiters what is free.
    private func serve(_ state: inout State) -> [Waiter] {
        var served: [Waiter] = []
        while let waiter = state.waiting.first, fits(waiter.bytes, state) {
            state.held += waiter.bytes
            served.append(state.waiting.removeFirst())
        }
        return served
    }
}
