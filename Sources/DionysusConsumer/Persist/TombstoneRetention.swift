import Dionysus

/// Forgets destructions that were long ago.
struct TombstoneRetention {
    private static let interval = Duration.seconds(3_600)

    let retention: Duration
    private var lastRun: ContinuousClock.Instant?

    init(retention: Duration) { self.retention = retention }

    /// Removes what is old enough, if that was not done lately.
    mutating func run(in database: any Database) async throws {
        let now = ContinuousClock.now
        if let lastRun, now - lastRun < Self.interval { return }
        lastRun = now
        let seconds = Double(retention.components.seconds)
        try await database.transaction(.write) { transaction in
            let limit = transaction.dialect.now(minus: seconds)
            try transaction.run("DELETE FROM dionysus_tombstones WHERE created_at < \(limit)")
        }
    }
}
