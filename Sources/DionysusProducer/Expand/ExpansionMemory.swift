import Synchronization

/// Which rows have been expanded although they are still to be published themselves, so that a row which waits for its
/// retry is not expanded with every attempt.
///
/// Another process doesn't know: what it expands again is published once more. So is what has been forgotten here because
/// too many rows came after it: another relay may have settled it unseen.
final class ExpansionMemory: Sendable {
    private static let capacity = 10_000

    private struct State {
        var ids: Set<Int64> = []
        /// In the order in which they came; those that have been forgotten are among them.
        var order: [Int64] = []
    }

    private let state = Mutex(State())

    /// How many rows are remembered.
    var count: Int { state.withLock { $0.ids.count } }

    /// Those rows that have not been expanded.
    func new(_ rows: [OutboxRow]) -> [OutboxRow] {
        guard !rows.isEmpty else { return [] }
        return state.withLock { state in rows.filter { !state.ids.contains($0.id) } }
    }

    /// Notes that rows have been expanded.
    func note(_ rows: [OutboxRow]) {
        guard !rows.isEmpty else { return }
        state.withLock { state in
            for row in rows where state.ids.insert(row.id).inserted { state.order.append(row.id) }
            guard state.order.count > 2 * Self.capacity else { return }
            let kept = state.order.filter(state.ids.contains).suffix(Self.capacity)
            state.order = Array(kept)
            state.ids = Set(kept)
        }
    }

    /// Forgets rows that have been settled.
    func forget(_ rows: [OutboxRow]) {
        state.withLock { state in
            guard !state.ids.isEmpty else { return }
            state.ids.subtract(rows.map(\.id))
        }
    }
}
