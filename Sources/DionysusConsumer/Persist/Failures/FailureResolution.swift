import Dionysus

/// Takes a failure out of the table in the transaction that applies its message.
struct FailureResolution: Sendable {
    let id: Int64
    let partition: RecordedPartition
    let offset: Int64
    /// The key that later messages may wait for.
    let key: [UInt8]?
    /// Whether it waits behind an earlier failure of its key.
    let waits: Bool

    /// Removes the failure; of several that try, one succeeds.
    /// - Returns: Why its message is not to be applied now, if it isn't.
    func resolve(in transaction: inout Transaction) throws -> Refusal? {
        let lock = partition.lock(transaction.dialect, shared: false)
        if !lock.isEmpty { try transaction.run(lock) }
        if waits, let key, let first = try transaction.run(partition.first(under: key, before: offset)).first {
            return .failureWaits(behind: try first.integer(0) ?? 0)
        }
        let group = partition.group
        let removal: SQL = "DELETE FROM dionysus_failures WHERE id = \(id) AND \"group\" = \(group)"
        return try transaction.run(removal).affectedRows == 1 ? nil : .failureGone
    }
}
