import Dionysus

extension ConsumerMigrations {
    /// The log of handled events.
    static let eventLog = Migration(number: 30) { dialect in
        let type = { SQL(raw: dialect.columnType($0)) }
        // What comes from messages is text and not JSON: PostgreSQL's jsonb refuses some documents.
        return [
            """
            CREATE TABLE dionysus_events (
              id \(type(.identity)), "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL,
              "partition" \(type(.integer)) NOT NULL, "offset" \(type(.bigint)) NOT NULL,
              event_number \(type(.integer)) NOT NULL, "key" \(type(.bytes)), headers \(type(.text)) NOT NULL,
              model \(type(.text)) NOT NULL, entity_id \(type(.text)), event_time \(type(.timestamp)),
              event_type \(type(.text)) NOT NULL, event_version \(type(.bigint)), checksum \(type(.text)) NOT NULL,
              identity \(type(.text)) NOT NULL, payload \(type(.text)) NOT NULL, written_at \(type(.timestamp)) NOT NULL,
              attempts \(type(.integer)) NOT NULL, created_at \(type(.timestamp)) NOT NULL,
              handled_at \(type(.timestamp)) NOT NULL, UNIQUE ("group", topic, identity))
            """,
            "CREATE INDEX dionysus_events_age ON dionysus_events (\"group\", created_at)",
            "CREATE INDEX dionysus_events_entity ON dionysus_events (\"group\", entity_id)",
        ]
    }
}
