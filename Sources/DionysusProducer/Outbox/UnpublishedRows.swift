import Dionysus

/// How many rows of an outbox are not published.
public struct UnpublishedRows: Sendable, Hashable {
    /// Rows that have not been tried yet.
    public let pending: Int
    /// Rows that have failed and will be tried again.
    public let retrying: Int
    /// Rows that have failed for the last time.
    public let parked: Int

    init(_ row: Row?) throws {
        pending = Int(try row?.integer(0) ?? 0)
        retrying = Int(try row?.integer(1) ?? 0)
        parked = Int(try row?.integer(2) ?? 0)
    }

    /// All of them.
    public var total: Int { pending + retrying + parked }
}
