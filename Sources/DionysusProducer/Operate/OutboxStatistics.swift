import Dionysus

/// How many rows of a topic the outbox has, by state.
package struct OutboxStatistics: Sendable, Hashable {
    /// The topic's full name, or `__outbox_observer__` for changes that others are computed from.
    package let topic: String
    /// Rows that wait to be published for the first time.
    package let pending: Int
    /// Rows that have failed and wait for their next attempt.
    package let retrying: Int
    /// Rows that have failed for the last time.
    package let parked: Int
    /// Rows that have been published and are kept.
    package let published: Int
    /// How long the oldest row that is yet to be published has waited, by the database's clock; nil if there is none.
    ///
    /// A parked row doesn't count.
    package let oldestAge: Duration?

    init(_ row: Row) throws {
        topic = try row.text(0) ?? ""
        pending = Int(try row.integer(1) ?? 0)
        retrying = Int(try row.integer(2) ?? 0)
        parked = Int(try row.integer(3) ?? 0)
        published = Int(try row.integer(4) ?? 0)
        if let oldest = try row.timestamp(5), let now = try row.timestamp(6) {
            oldestAge = .microseconds(max(0, now.microseconds(since: oldest)))
        } else {
            oldestAge = nil
        }
    }
}
