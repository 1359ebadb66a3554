import Dionysus

extension ConsumerMigrations {
    /// The marks of running consumers.
    static func consumers(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_consumers (
              "group" \(type(.text)) NOT NULL, member \(type(.text)) NOT NULL, process \(type(.text)) NOT NULL,
              started_at \(type(.timestamp)) NOT NULL, seen_at \(type(.timestamp)) NOT NULL,
              PRIMARY KEY ("group", member))
            """
    }

    /// How far each backfill is.
    static func backfills(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_backfills (
              replica \(type(.text)) NOT NULL, columns \(type(.text)) NOT NULL, last_id \(type(.text)),
              examined \(type(.bigint)) NOT NULL, assigned \(type(.bigint)) NOT NULL, absent \(type(.bigint)) NOT NULL,
              refused \(type(.bigint)) NOT NULL, refused_ids \(type(.json)) NOT NULL,
              started_at \(type(.timestamp)) NOT NULL, updated_at \(type(.timestamp)) NOT NULL,
              finished_at \(type(.timestamp)), PRIMARY KEY (replica, columns))
            """
    }

    /// Which replica the database holds, and whose place it has taken.
    static func replica(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_replica (
              identity \(type(.text)) NOT NULL PRIMARY KEY, role \(type(.text)) NOT NULL,
              created_at \(type(.timestamp)) NOT NULL)
            """
    }

    /// What is remembered of the last applied message; offsets from before know nothing of it.
    static func logMarks(_ dialect: any SQLDialect) -> SQL {
        "ALTER TABLE dionysus_offsets ADD COLUMN last_message \(raw: dialect.columnType(.text))"
    }

    /// What was found to be missing from the log.
    static func logLosses(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_log_losses (
              "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, "partition" \(type(.integer)) NOT NULL,
              message \(type(.text)) NOT NULL, found_at \(type(.timestamp)) NOT NULL,
              PRIMARY KEY ("group", topic, "partition"))
            """
    }

    /// The partitions that operators have paused.
    static func pauses(_ dialect: any SQLDialect) -> SQL {
        let type = { SQL(raw: dialect.columnType($0)) }
        return """
            CREATE TABLE dionysus_pauses (
              "group" \(type(.text)) NOT NULL, topic \(type(.text)) NOT NULL, "partition" \(type(.integer)) NOT NULL,
              paused_by \(type(.text)) NOT NULL, paused_at \(type(.timestamp)) NOT NULL,
              PRIMARY KEY ("group", topic, "partition"))
            """
    }
}
