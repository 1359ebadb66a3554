import Dionysus
import Synchronization

/// What is made of a batch ahead of its turn, with the memory that it takes, until it is used or given up.
final class Preparation: Sendable {
    private struct State {
        var prepared: PreparedMessages?
        var memory: MemoryBudget.Reservation?
    }

    private let state: Mutex<State>

    /// - Parameter memory: What it takes.
    init(_ memory: MemoryBudget.Reservation) { state = Mutex(State(memory: memory)) }

    /// Keeps what has been made, unless it has been given up.
    func keep(_ prepared: PreparedMessages?) {
        state.withLock { state in
            if state.memory != nil { state.prepared = prepared }
        }
    }

    /// Hands over what has been made, with its memory.
    func take() -> (prepared: PreparedMessages?, memory: MemoryBudget.Reservation?) {
        state.withLock { state in
            defer { state = State() }
            return (state.prepared, state.memory)
        }
    }
}

/// Whether a partition's next batch may be prepared ahead of its turn, and what is made of it.
///
/// Who waits for memory must hold none: what has been prepared is given up by a batch that begins to wait, and nothing is
/// prepared until it has got its memory.
final class PreparationAhead: Sendable {
    private struct State {
        var isAllowed = false
        var preparation: Preparation?
    }

    private let state = Mutex(State())
    private let budget: MemoryBudget

    init(_ budget: MemoryBudget) { self.budget = budget }

    /// Begins to prepare a batch, if there is memory for it.
    func begin(_ bytes: Int) -> Preparation? {
        state.withLock { state in
            guard state.isAllowed, let memory = budget.reserveIfFree(bytes) else { return nil }
            let preparation = Preparation(memory)
            state.preparation = preparation
            return preparation
        }
    }

    /// Gives up what has been prepared, and waits for memory.
    func reserve(_ bytes: Int) async throws -> MemoryBudget.Reservation {
        giveUp()
        let memory = try await budget.reserve(bytes)
        allow()
        return memory
    }

    /// Gives up what has been prepared, and prepares nothing until ``allow()`` is called.
    func giveUp() {
        let given = state.withLock { state in
            state.isAllowed = false
            defer { state.preparation = nil }
            return state.preparation
        }
        given?.take().memory?.release()
    }

    /// Lets the next batch be prepared: the one before it has its memory.
    func allow() {
        state.withLock { state in
            state.isAllowed = true
            state.preparation = nil
        }
    }
}
