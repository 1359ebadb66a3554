import Dionysus

extension ConsumerMigrations {
    /// What finds failures by their cause, topic, kind, time and record, however many there are.
    ///
    /// Those from before have no cause of their own: they are looked at one by one.
    static func failureCauses(_ dialect: any SQLDialect) -> [SQL] {
        [
            "ALTER TABLE dionysus_failures ADD COLUMN cause_hash \(raw: dialect.columnType(.bigint))",
            "CREATE INDEX dionysus_failures_causes ON dionysus_failures (\"group\", cause_hash, id)",
            "CREATE INDEX dionysus_failures_topics ON dionysus_failures (\"group\", topic, id)",
            "CREATE INDEX dionysus_failures_errors ON dionysus_failures (\"group\", error_class, id)",
            // As they are listed, the newest first. Every failure has both times, so it doesn't matter where nulls stand.
            """
            CREATE INDEX dionysus_failures_times ON dionysus_failures
              ("group", \(FailureOrder.newestFirst))
            """,
            "CREATE INDEX dionysus_failures_entities ON dionysus_failures (\"group\", entity_id)",
        ]
    }

    /// What finds the failures of a key in whatever partition they are.
    static let failuresOfKeys: SQL =
        "CREATE INDEX dionysus_failures_records ON dionysus_failures (\"group\", key_hash, id)"
}

/// The order in which failures are listed, the same in statements and in the index for them.
enum FailureOrder {
    static let newestFirst: SQL = "event_time DESC, created_at DESC, id DESC"
}
