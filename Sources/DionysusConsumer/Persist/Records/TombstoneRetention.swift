import Dionysus

/// Forgets destructions that were long ago.
struct TombstoneRetention {
    private static let interval = Duration.seconds(3_600)
    /// How many are forgotten at once, so that neither the reading nor the replica has to wait for long.
    private static let limit = 5_000

    let retention: Duration
    private var lastRun: ContinuousClock.Instant?

    init(retention: Duration) { self.retention = retention }

    /// Removes some of what is old enough, if there may be any.
    mutating func run(in database: any Database) async throws {
        let now = ContinuousClock.now
        if let lastRun, now - lastRun < Self.interval { return }
        let seconds = Double(retention.components.seconds)
        let removed = try await database.transaction(.write) { transaction in
            let end = transaction.dialect.now(minus: seconds)
            return
                try transaction.run(
                    """
                    DELETE FROM dionysus_tombstones WHERE created_at < \(end) AND (replica, record_id) IN (
                      SELECT replica, record_id FROM dionysus_tombstones WHERE created_at < \(end) ORDER BY created_at
                      LIMIT \(Self.limit))
                    """
                )
                .affectedRows
        }
        if removed < Self.limit { lastRun = now }
    }
}
