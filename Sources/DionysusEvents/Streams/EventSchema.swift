public import Dionysus

/// The tables of streams, and of what reads them.
public enum EventSchema {
    static let table = "dionysus_stream_events"

    /// Creates the tables; safe to repeat.
    ///
    /// Call it in the transaction that creates an application's own tables, before capture is installed.
    public static func create(in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        func type(_ column: ColumnType) -> SQL { SQL(raw: dialect.columnType(column)) }
        if let locks = dialect.lockCreation { try transaction.run(locks) }
        try transaction.run([
            // Rows are only ever added: "number" is the order in which they were.
            """
            CREATE TABLE IF NOT EXISTS dionysus_stream_events (
              number \(type(.identity)), id \(type(.uuid)) NOT NULL UNIQUE, stream text NOT NULL,
              position \(type(.bigint)) NOT NULL, type text NOT NULL, version \(type(.integer)) NOT NULL,
              data \(type(.json)) NOT NULL, metadata \(type(.json)) NOT NULL, created_at \(type(.timestamp)) NOT NULL,
              UNIQUE (stream, position)
            )
            """,
            // The global order: events whose numbers have no gap got their places in it together.
            """
            CREATE TABLE IF NOT EXISTS dionysus_event_order (
              first_sequence \(type(.bigint)) PRIMARY KEY, first_number \(type(.bigint)) NOT NULL,
              last_number \(type(.bigint)) NOT NULL UNIQUE
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_event_marks (
              id \(type(.integer)) PRIMARY KEY, closed_number \(type(.bigint)) NOT NULL,
              marked_number \(type(.bigint)), marked_transaction \(type(.bigint))
            )
            """,
            "INSERT INTO dionysus_event_marks (id, closed_number) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
            """
            CREATE TABLE IF NOT EXISTS dionysus_subject_keys (
              subject text PRIMARY KEY, key \(type(.bytes)) NOT NULL, created_at \(type(.timestamp)) NOT NULL
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_stream_snapshots (
              stream text NOT NULL, name text NOT NULL, version \(type(.integer)) NOT NULL,
              position \(type(.bigint)) NOT NULL, state \(type(.json)) NOT NULL,
              created_at \(type(.timestamp)) NOT NULL, PRIMARY KEY (stream, name)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_event_readers (
              name text PRIMARY KEY, sequence \(type(.bigint)) NOT NULL, updated_at \(type(.timestamp)) NOT NULL
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_projections (
              name text PRIMARY KEY, version \(type(.integer)) NOT NULL, categories \(type(.json)) NOT NULL,
              generation \(type(.bigint)) NOT NULL, rebuilt_version \(type(.integer)), rebuilt_sequence \(type(.bigint)),
              noted_sequence \(type(.bigint)), updated_at \(type(.timestamp)) NOT NULL
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_projection_marks (
              name text PRIMARY KEY, generation \(type(.bigint)) NOT NULL, sequence \(type(.bigint)) NOT NULL
            )
            """,
            // The stream is first: of a new generation the server would expect one row, and read all of them.
            """
            CREATE TABLE IF NOT EXISTS dionysus_stream_positions (
              reader text NOT NULL, generation \(type(.bigint)) NOT NULL, stream text NOT NULL,
              position \(type(.bigint)) NOT NULL, PRIMARY KEY (stream, reader, generation)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_processes (
              name text NOT NULL, id text NOT NULL, state \(type(.json)) NOT NULL, ended_at \(type(.timestamp)),
              updated_at \(type(.timestamp)) NOT NULL, PRIMARY KEY (name, id)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS dionysus_timers (
              id \(type(.uuid)) PRIMARY KEY, process text NOT NULL, process_id text NOT NULL, name text NOT NULL,
              due_at \(type(.timestamp)) NOT NULL, data \(type(.json)) NOT NULL
            )
            """,
            "CREATE INDEX IF NOT EXISTS dionysus_timers_due ON dionysus_timers (process, due_at)",
        ])
    }
}
