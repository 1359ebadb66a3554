import Dionysus

extension ConsumerMigrations {
    /// What was found when replicas were compared with their source.
    static func verifications(_ dialect: any SQLDialect) -> [SQL] {
        let type = { SQL(raw: dialect.columnType($0)) }
        // What comes from messages is text and not JSON: PostgreSQL's jsonb refuses some documents.
        return [
            """
            CREATE TABLE dionysus_verifications (
              "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, run \(type(.text)) NOT NULL,
              number \(type(.bigint)) NOT NULL, model \(type(.text)), state \(type(.text)) NOT NULL,
              records \(type(.bigint)) NOT NULL DEFAULT 0, chunks \(type(.bigint)) NOT NULL DEFAULT 0,
              chunks_total \(type(.bigint)), fence \(type(.text)), missing \(type(.bigint)), stale \(type(.bigint)),
              extra \(type(.bigint)), unreadable \(type(.bigint)), started_at \(type(.timestamp)) NOT NULL,
              finished_at \(type(.timestamp)), PRIMARY KEY ("group", topic, run))
            """,
            """
            CREATE TABLE dionysus_suspects (
              id \(type(.identity)), "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL,
              run \(type(.text)) NOT NULL, subject \(type(.text)) NOT NULL, model \(type(.text)),
              record_id \(type(.text)), version \(type(.bigint)), "partition" \(type(.integer)),
              "offset" \(type(.bigint)), "key" \(type(.bytes)), payload \(type(.bytes)), metadata \(type(.text)),
              UNIQUE ("group", topic, run, subject))
            """,
            """
            CREATE TABLE dionysus_differences (
              id \(type(.identity)), "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL,
              run \(type(.text)) NOT NULL, kind \(type(.text)) NOT NULL, model \(type(.text)) NOT NULL,
              record_id \(type(.text)) NOT NULL, published_model \(type(.text)) NOT NULL,
              published_id \(type(.text)) NOT NULL, columns \(type(.text)) NOT NULL, version \(type(.bigint)),
              found_at \(type(.timestamp)) NOT NULL, repaired_at \(type(.timestamp)),
              UNIQUE ("group", topic, run, model, record_id, kind))
            """,
        ]
    }

    /// The keys that runs have found at their sources, where the replica can't tell which of its rows are within a range.
    static func verifiedKeys(_ dialect: any SQLDialect) -> [SQL] {
        let type = { SQL(raw: dialect.columnType($0)) }
        return [
            """
            CREATE TABLE dionysus_verified_keys (
              id \(type(.identity)), "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL,
              run \(type(.text)) NOT NULL, record_id \(type(.text)) NOT NULL, UNIQUE ("group", topic, run, record_id))
            """,
            // The version of the run whose keys are to be compared; null if none are.
            "ALTER TABLE dionysus_verifications ADD COLUMN keys_version \(type(.bigint))",
        ]
    }

    /// The first and the last key of the records that a run compares with; null for no limit, as in runs from before.
    static func verifiedRanges(_ dialect: any SQLDialect) -> [SQL] {
        ["first_key", "last_key"]
            .map { column in
                let type = SQL(raw: dialect.columnType(.text))
                return "ALTER TABLE dionysus_verifications ADD COLUMN \(identifier: column) \(type)"
            }
    }
}
