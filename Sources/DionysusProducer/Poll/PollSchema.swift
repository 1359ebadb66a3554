import Dionysus

/// The tables that make polls durable.
enum PollSchema {
    static let polls = "dionysus_polls"
    /// What a poll remembers of single records: the versions that it has found lately, or the keys of its last round.
    static let records = "dionysus_poll_records"

    static func creation(_ tables: OutboxTables, _ dialect: any SQLDialect) -> [SQL] {
        let type = { SQL(raw: dialect.columnType($0)) }
        return [
            """
            CREATE TABLE IF NOT EXISTS \(tables.beside(polls)) (
              poll \(type(.text)) PRIMARY KEY, round \(type(.bigint)) NOT NULL DEFAULT 0,
              started_at \(type(.timestamp)), round_until \(type(.timestamp)), round_mark \(type(.text)),
              is_reread \(type(.integer)) NOT NULL DEFAULT 0,
              position_time \(type(.text)), position_key \(type(.text)), reread_from \(type(.timestamp)),
              pending_from \(type(.timestamp)), pending_mark \(type(.text)),
              is_pending_settled \(type(.integer)) NOT NULL DEFAULT 0, finished_at \(type(.timestamp)),
              found \(type(.bigint)) NOT NULL DEFAULT 0)
            """,
            """
            CREATE TABLE IF NOT EXISTS \(tables.beside(records)) (
              poll \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, record_key \(type(.text)) NOT NULL,
              version_time \(type(.text)), version \(type(.text)), partition_key \(type(.text)), round \(type(.bigint)),
              PRIMARY KEY (poll, topic, record_key))
            """,
        ]
    }

    static func removal(_ tables: OutboxTables) -> [SQL] {
        [records, polls].map { "DROP TABLE IF EXISTS \(tables.beside($0))" }
    }
}
