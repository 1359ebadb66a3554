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
    /// What finds events in the order in which they are listed.
    ///
    /// It has what they are chosen by, so that those of a topic or a kind are found in it too. An index for each would cost
    /// every event that is logged.
    static func eventOrder(_ dialect: any SQLDialect) -> SQL {
        """
        CREATE INDEX dionysus_events_times ON dionysus_events
          ("group", \(EventOrder.newestFirst), topic, event_type)
        """
    }
}

/// The order in which logged events are listed, the same in statements and in the index for them.
enum EventOrder {
    /// Those that happened last first, and those whose time isn't known behind all others.
    ///
    /// SQLite's indexes don't say where nulls stand, and the databases put them in different places.
    static let newestFirst: SQL = "(event_time IS NULL), event_time DESC, created_at DESC, id DESC"
}
