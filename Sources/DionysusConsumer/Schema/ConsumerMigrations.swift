import Dionysus

/// The steps that make the consumer's own tables.
///
/// A step that has been released never changes; what is new comes as another one.
enum ConsumerMigrations {
    struct Migration: Sendable {
        let number: Int64
        let statements: @Sendable (any SQLDialect) -> [SQL]
    }

    static let all = [
        Migration(number: 1) { [offsets($0)] },
        Migration(number: 2) {
            [tombstones($0), "CREATE INDEX dionysus_tombstones_age ON dionysus_tombstones (created_at)"]
        },
        Migration(number: 3) { [failures($0)] },
        Migration(number: 4) { dialect in
            ["ALTER TABLE dionysus_offsets ADD COLUMN lanes \(raw: dialect.columnType(.integer)) NOT NULL DEFAULT 1"]
                + [laneOffsets(dialect)]
        },
        Migration(number: 20) { failureKeys($0) },
        eventLog,
        Migration(number: 50) { [consumers($0)] },
        Migration(number: 51) { [backfills($0)] },
        Migration(number: 60) { [replica($0)] },
        Migration(number: 61) { [logMarks($0), logLosses($0)] },
        Migration(number: 70) { verifications($0) },
        Migration(number: 80) { failureCauses($0) },
        Migration(number: 81) { verifiedKeys($0) },
        Migration(number: 82) { [pauses($0)] },
        Migration(number: 83) { verifiedRanges($0) },
        Migration(number: 84) { [eventOrder($0)] },
        Migration(number: 85) { _ in [failuresOfKeys] },
    ]

    /// The tables, for their removal and for the check that they are there.
    static let tables = [
        "dionysus_offsets", "dionysus_lane_offsets", "dionysus_tombstones", "dionysus_failures", "dionysus_events",
        "dionysus_consumers", "dionysus_backfills", "dionysus_replica", "dionysus_log_losses",
        "dionysus_verifications", "dionysus_suspects", "dionysus_differences", "dionysus_verified_keys",
        "dionysus_pauses",
    ]

    /// The table that says which steps have been taken.
    static let journal = "dionysus_consumer_migrations"

    private static func offsets(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_offsets (
              "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, "partition" \(type(.integer)) NOT NULL,
              next_offset \(type(.bigint)) NOT NULL, updated_at \(type(.timestamp)) NOT NULL,
              PRIMARY KEY ("group", topic, "partition"))
            """
    }

    private static func laneOffsets(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_lane_offsets (
              "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, "partition" \(type(.integer)) NOT NULL,
              lane \(type(.integer)) NOT NULL, next_offset \(type(.bigint)) NOT NULL,
              PRIMARY KEY ("group", topic, "partition", lane))
            """
    }

    private static func tombstones(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_tombstones (
              replica \(type(.text)) NOT NULL, record_id \(type(.text)) NOT NULL, version \(type(.bigint)),
              record_time \(type(.timestamp)), topic \(type(.text)) NOT NULL, "partition" \(type(.integer)) NOT NULL,
              "offset" \(type(.bigint)) NOT NULL, written_at \(type(.timestamp)) NOT NULL,
              created_at \(type(.timestamp)) NOT NULL, PRIMARY KEY (replica, record_id))
            """
    }

    /// What finds the failures of a key; those from before hold nothing, because nothing waited for them.
    private static func failureKeys(_ dialect: any SQLDialect) -> [SQL] {
        [
            "ALTER TABLE dionysus_failures ADD COLUMN key_hash \(raw: dialect.columnType(.bigint))",
            "ALTER TABLE dionysus_failures ADD COLUMN retried_at \(raw: dialect.columnType(.timestamp))",
            """
            CREATE INDEX dionysus_failures_keys ON dionysus_failures ("group", topic, "partition", key_hash, "offset")
            """,
        ]
    }

    private static func failures(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_failures (
              id \(type(.identity)), topic \(type(.text)) NOT NULL, "group" \(type(.text)) NOT NULL,
              "partition" \(type(.integer)) NOT NULL, "offset" \(type(.bigint)) NOT NULL, "key" \(type(.bytes)),
              payload \(type(.bytes)), metadata \(type(.json)), entity_id \(type(.text)), event_time \(type(.timestamp)),
              event_type \(type(.text)), event_version \(type(.bigint)), error_class \(type(.text)) NOT NULL,
              error_message \(type(.text)) NOT NULL, error_details \(type(.text)), attempts \(type(.integer)) NOT NULL,
              created_at \(type(.timestamp)) NOT NULL, UNIQUE ("group", topic, "partition", "offset"))
            """
    }
}
