import Dionysus

/// What waits in the outbox.
struct Backlog: Sendable, Hashable {
    /// Rows that wait to be published; in each lane at most ``countedPerLane`` are counted.
    var pending = 0
    /// Rows that have failed and wait for their next attempt.
    var failing = 0
    /// Rows that have failed for the last time.
    var parked = 0
    /// When the oldest of the pending rows was recorded.
    var oldest: Timestamp?
    /// How long rows took that were published during the last minute, by whichever relay; nil if there were none.
    var latency: LatencyTracker.Summary?

    /// Counting stops there, because it costs as much as there is to count.
    static let countedPerLane = 10_000

    /// How many of the newest rows are looked at for those that were published during the last minute.
    static let publishedLookedAt = 2_000
}

extension Outbox {
    /// Measures what waits, in a transaction that reads.
    func measureBacklog(in transaction: inout Transaction) throws -> Backlog {
        let results = try transaction.run([backlog(), failureCounts(), lastPublished()])
        let (waiting, failures) = (results[0].first, results[1].first)
        return Backlog(
            pending: Int(try waiting?.integer(0) ?? 0),
            failing: Int(try failures?.integer(0) ?? 0),
            parked: Int(try failures?.integer(1) ?? 0),
            oldest: try waiting?.timestamp(1),
            latency: LatencyTracker.Summary(
                try results[2].rows
                    .compactMap { row in
                        guard let start = try row.timestamp(0), let end = try row.timestamp(1) else { return nil }
                        return start.duration(to: end)
                    }
            )
        )
    }
}
