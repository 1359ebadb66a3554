import Dionysus

/// Removes events from the event log that were handled long ago, a few at a time.
struct EventRetention {
    private static let interval = Duration.seconds(3_600)
    private static let rowsPerTransaction = 1_000

    let group: String
    /// Nil if events are kept forever.
    let retention: Duration?
    private var lastRun: ContinuousClock.Instant?

    init(_ settings: ConsumerSettings) {
        group = settings.effectiveGroupID
        retention = settings.eventRetention
    }

    /// Removes some of what is old enough, if all of it was not removed lately.
    ///
    /// Called whenever messages are read, it holds up reading only for a short transaction.
    mutating func run(in database: any Database) async throws {
        guard let retention else { return }
        let now = ContinuousClock.now
        if let lastRun, now - lastRun < Self.interval { return }
        let seconds = Double(retention.components.seconds)
        let removed = try await database.transaction(.write) { [group] transaction in
            let limit = transaction.dialect.now(minus: seconds)
            return
                try transaction.run(
                    """
                    DELETE FROM dionysus_events WHERE id IN (
                      SELECT id FROM dionysus_events WHERE "group" = \(group) AND created_at < \(limit)
                      ORDER BY created_at LIMIT \(Self.rowsPerTransaction))
                    """
                )
                .affectedRows
        }
        if removed < Self.rowsPerTransaction { lastRun = now }
    }
}
