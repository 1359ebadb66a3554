import Dionysus

/// The tables that make a genesis run durable.
enum GenesisSchema {
    static let runs = "dionysus_genesis_runs"
    static let chunks = "dionysus_genesis_chunks"

    static func creation(_ tables: OutboxTables, _ dialect: any SQLDialect) -> [SQL] {
        let (runs, chunks) = (tables.beside(runs), tables.beside(chunks))
        let type = { SQL(raw: dialect.columnType($0)) }
        return [
            """
            CREATE TABLE IF NOT EXISTS \(runs) (
              id \(type(.identity)), topic \(type(.text)) NOT NULL, model \(type(.text)) NOT NULL,
              state \(type(.text)) NOT NULL, selection \(type(.text)) NOT NULL, context \(type(.text)),
              spread_seconds \(type(.double)),
              chunk_size \(type(.integer)) NOT NULL, chunks \(type(.bigint)) NOT NULL DEFAULT 0,
              is_split \(type(.integer)) NOT NULL DEFAULT 0, split_after \(type(.text)), split_until \(type(.text)),
              records \(type(.bigint)), unpublished \(type(.bigint)), error_message \(type(.text)),
              created_at \(type(.timestamp)) NOT NULL, starts_at \(type(.timestamp)) NOT NULL,
              paused_at \(type(.timestamp)), announced_at \(type(.timestamp)), announced_by \(type(.text)),
              finished_at \(type(.timestamp)))
            """,
            """
            CREATE INDEX IF NOT EXISTS dionysus_genesis_runs_running ON \(runs) (id)
            WHERE state = 'running'
            """,
            """
            CREATE TABLE IF NOT EXISTS \(chunks) (
              run_id \(type(.bigint)) NOT NULL, number \(type(.bigint)) NOT NULL, state \(type(.integer)) NOT NULL,
              keys_after \(type(.text)), keys_until \(type(.text)) NOT NULL, records \(type(.integer)),
              first_row \(type(.bigint)), last_row \(type(.bigint)), unpublished \(type(.integer)),
              PRIMARY KEY (run_id, number))
            """,
            """
            CREATE INDEX IF NOT EXISTS dionysus_genesis_chunks_unsettled ON \(chunks)
            (run_id, state, number) WHERE state < 3
            """,
        ]
    }

    static func removal(_ tables: OutboxTables) -> [SQL] {
        [chunks, runs].map { "DROP TABLE IF EXISTS \(tables.beside($0))" }
    }
}
