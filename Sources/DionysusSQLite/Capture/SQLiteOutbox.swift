import Dionysus

/// The outbox's parts that are SQLite's own: row triggers, and a counter in a table.
///
/// Writers exclude each other, so that ids appear in their order and no low-water mark is needed.
struct SQLiteOutbox: OutboxSupport {
    let dialect = SQLiteDialect()

    /// A query of its own, so that SQLite looks at the clock once and not for each row.
    func time(shiftedBy seconds: Double) -> SQL {
        if seconds == 0 { return "(SELECT \(raw: SQLiteCaptureTriggers.now))" }
        return "(SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', \(String(seconds) + " seconds")))"
    }

    /// SQLite's own `now` may be another for each row that is fetched.
    func statementTime(shiftedBy seconds: Double) -> SQL { "\((Timestamp.now + seconds).description)" }

    func storedTime(_ expression: SQL) -> SQL { expression }

    /// SQLite doesn't see that the lane is the same for all, and would sort all pending rows of the lane.
    func claimOrder(lane: SQL, id: SQL) -> SQL { id }

    func creation() -> [SQL] {
        [
            """
            CREATE TABLE IF NOT EXISTS dionysus_outboxes (
              id INTEGER PRIMARY KEY AUTOINCREMENT,
              resource_class TEXT NOT NULL,
              resource_id TEXT NOT NULL,
              event_name TEXT NOT NULL,
              topic TEXT NOT NULL,
              partition_key TEXT,
              published_at TEXT,
              failed_at TEXT,
              retry_at TEXT,
              error_class TEXT,
              error_message TEXT,
              attempts INTEGER NOT NULL DEFAULT 0,
              created_at TEXT NOT NULL,
              updated_at TEXT NOT NULL,
              changeset TEXT,
              traceparent TEXT,
              tracestate TEXT,
              origin TEXT
            )
            """,
            """
            CREATE INDEX IF NOT EXISTS dionysus_outboxes_retrying ON dionysus_outboxes (resource_class, resource_id)
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX IF NOT EXISTS dionysus_outboxes_failed ON dionysus_outboxes (id)
            WHERE published_at IS NULL AND failed_at IS NOT NULL
            """,
            "CREATE TABLE IF NOT EXISTS dionysus_lanes (lane INTEGER PRIMARY KEY, low_water INTEGER NOT NULL DEFAULT 0)",
            "CREATE TABLE IF NOT EXISTS dionysus_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            "INSERT OR IGNORE INTO dionysus_meta (name, value) VALUES ('source_id', lower(hex(randomblob(16))))",
            "CREATE TABLE IF NOT EXISTS dionysus_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)",
            "INSERT OR IGNORE INTO dionysus_version (id, version) VALUES (1, 0)",
        ] + SQLiteTransactionMarker.creation
    }

    func laneIndexes(lanes: Int) -> [SQL] {
        let lane = dialect.laneExpression(
            "coalesce(partition_key, resource_class || ':' || resource_id)",
            lanes: lanes
        )
        return [
            "DROP INDEX IF EXISTS dionysus_outboxes_pending",
            "CREATE INDEX dionysus_outboxes_pending ON dionysus_outboxes (\(raw: lane), id) WHERE published_at IS NULL",
        ]
    }

    func removal() -> [SQL] {
        ([
            "dionysus_outboxes", "dionysus_lanes", "dionysus_meta", "dionysus_version",
        ] + SQLiteTransactionMarker.tables)
        .map {
            "DROP TABLE IF EXISTS \(identifier: $0)"
        }
    }

    /// Every draw looks at the clock.
    func raiseVersion(in transaction: inout Transaction) throws {}

    func lastID() -> SQL {
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'dionysus_outboxes'), 0)"
    }

    func drawVersion() -> SQL {
        """
        UPDATE dionysus_version SET version = max(version + 1, \(Timestamp.now.microseconds)) WHERE id = 1
        RETURNING version
        """
    }

    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL] { [] }

    func wakeUp() -> SQL? { nil }

    var isCaptured: SQL { SQL(raw: SQLiteTransactionMarker.isCaptured) }

    var traceContext: (traceparent: SQL, tracestate: SQL) {
        ("(SELECT traceparent FROM dionysus_transaction)", "(SELECT tracestate FROM dionysus_transaction)")
    }

    func triggers(for capture: TableCapture, on table: TableDescription, outbox: TableDescription) -> [SQL] {
        SQLiteCaptureTriggers(capture: capture, table: table, outbox: outbox, dialect: dialect).statements()
    }

    func capturedTables(in transaction: inout Transaction) throws -> [String] {
        let result = try transaction.run(
            #"SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'dionysus\_capture\_%' ESCAPE '\'"#
        )
        return try result.rows.compactMap { try $0.text(0) }
    }

    func triggerRemoval(table: String) -> [SQL] {
        SQLiteCaptureTriggers.operations.map { operation in
            "DROP TRIGGER IF EXISTS \(identifier: SQLiteCaptureTriggers.triggerName(table, operation))"
        }
    }
}
