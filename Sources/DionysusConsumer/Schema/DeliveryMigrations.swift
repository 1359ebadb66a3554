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
}
