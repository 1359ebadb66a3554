import Dionysus

/// Removes rows of one of the consumer's tables that are old enough, a few at a time.
struct Retention {
    private static let interval = Duration.seconds(3_600)

    /// What it does, to stand after "could not".
    let activity: String
    /// How long rows stay; nil to keep them forever.
    private let age: Duration?
    /// How many rows a transaction removes, so that neither the reading nor the replica has to wait for long.
    private let limit: Int
    /// Removes rows from before a time.
    private let removal: @Sendable (_ end: SQL) -> SQL
    private var lastRun: ContinuousClock.Instant?

    /// Every retention of a consumer.
    static func all(_ settings: ConsumerSettings) -> [Retention] {
        let group = settings.effectiveGroupID
        return [destructions(settings.tombstoneRetention), events(of: group, settings.eventRetention)]
            + verifications(of: group)
    }

    /// How long it stays known what verification runs have found, in seconds.
    private static let verificationAge = Duration.seconds(90 * 86_400)

    /// What runs have found goes before the runs.
    private static func verifications(of group: String) -> [Retention] {
        let limit = 1_000
        return ["dionysus_suspects", "dionysus_differences", "dionysus_verified_keys"]
            .map { table in
                Retention(activity: "remove old differences", age: verificationAge, limit: limit) { end in
                    """
                    DELETE FROM \(identifier: table) WHERE id IN (
                      SELECT f.id FROM \(identifier: table) f JOIN dionysus_verifications t
                        ON t."group" = f."group" AND t.topic = f.topic AND t.run = f.run
                      WHERE t."group" = \(group) AND t.started_at < \(end) LIMIT \(limit))
                    """
                }
            } + [
                Retention(activity: "remove old verifications", age: verificationAge, limit: limit) { end in
                    """
                    DELETE FROM dionysus_verifications WHERE "group" = \(group) AND started_at < \(end)
                      AND NOT EXISTS (SELECT 1 FROM dionysus_differences f WHERE f."group" = \(group)
                        AND f.topic = dionysus_verifications.topic AND f.run = dionysus_verifications.run)
                    """
                }
            ]
    }

    private static func destructions(_ age: Duration) -> Retention {
        let limit = 5_000
        return Retention(activity: "forget old destructions", age: age, limit: limit) { end in
            """
            DELETE FROM dionysus_tombstones WHERE created_at < \(end) AND (replica, record_id) IN (
              SELECT replica, record_id FROM dionysus_tombstones WHERE created_at < \(end) ORDER BY created_at
              LIMIT \(limit))
            """
        }
    }

    private static func events(of group: String, _ age: Duration?) -> Retention {
        let limit = 1_000
        return Retention(activity: "remove old events", age: age, limit: limit) { end in
            """
            DELETE FROM dionysus_events WHERE id IN (
              SELECT id FROM dionysus_events WHERE "group" = \(group) AND created_at < \(end)
              ORDER BY created_at LIMIT \(limit))
            """
        }
    }

    private init(activity: String, age: Duration?, limit: Int, removal: @escaping @Sendable (_ end: SQL) -> SQL) {
        self.activity = activity
        self.age = age
        self.limit = limit
        self.removal = removal
    }

    /// Removes some of what is old enough, unless all of it was removed lately.
    ///
    /// Called whenever messages are read, it holds up reading only for a short transaction.
    mutating func run(in database: any Database) async throws {
        guard let age else { return }
        let now = ContinuousClock.now
        if let lastRun, now - lastRun < Self.interval { return }
        let seconds = Double(age.components.seconds)
        let removed = try await database.transaction(.write) { [removal] transaction in
            try transaction.run(removal(transaction.dialect.now(minus: seconds))).affectedRows
        }
        if removed < limit { lastRun = now }
    }
}
