import Dionysus

/// How many rows of an outbox are not published.
package struct UnpublishedRows: Sendable, Hashable {
    /// Rows that have not been tried yet.
    package let pending: Int
    /// Rows that have failed and will be tried again.
    package let retrying: Int
    /// Rows that have failed for the last time.
    package let parked: Int

    init(_ row: Row?) throws {
        pending = Int(try row?.integer(0) ?? 0)
        retrying = Int(try row?.integer(1) ?? 0)
        parked = Int(try row?.integer(2) ?? 0)
    }

    /// All of them.
    package var total: Int { pending + retrying + parked }
}
