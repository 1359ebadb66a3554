import Synchronization

/// Which rows have been expanded although they are still to be published themselves, so that a row which waits for its
/// retry is not expanded with every attempt.
///
/// Another process does not know: what it expands again is published once more.
final class ExpansionMemory: Sendable {
    private let expanded = Mutex<Set<Int64>>([])

    /// Those rows that have not been expanded.
    func new(_ rows: [OutboxRow]) -> [OutboxRow] {
        guard !rows.isEmpty else { return [] }
        return expanded.withLock { expanded in rows.filter { !expanded.contains($0.id) } }
    }

    /// Notes that rows have been expanded.
    func note(_ rows: [OutboxRow]) {
        guard !rows.isEmpty else { return }
        expanded.withLock { $0.formUnion(rows.map(\.id)) }
    }

    /// Forgets rows that have been settled.
    func forget(_ rows: [OutboxRow]) {
        expanded.withLock { expanded in
            guard !expanded.isEmpty else { return }
            expanded.subtract(rows.map(\.id))
        }
    }
}
