import Dionysus

/// The outbox's parts that are SQLite's own: row triggers, and a counter in a table.
///
/// Writers exclude each other, so that ids appear in their order and no low-water mark is needed.
struct SQLiteOutbox: OutboxSupport {
    let tables: OutboxTables
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

    func canCreateBeside(in transaction: inout Transaction) throws -> Bool { false }

    func creation(beside: Bool) -> [SQL] {
        [
            """
            CREATE TABLE IF NOT EXISTS \(tables.outbox) (
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
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("retrying")) ON \(tables.outbox) (resource_class, resource_id)
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("retrying_keys"))
            ON \(tables.outbox) (coalesce(partition_key, resource_class || ':' || resource_id))
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("failed")) ON \(tables.outbox) (id)
            WHERE published_at IS NULL AND failed_at IS NOT NULL
            """,
            tables.destroyedIndex,
            "CREATE TABLE IF NOT EXISTS dionysus_lanes (lane INTEGER PRIMARY KEY, low_water INTEGER NOT NULL DEFAULT 0)",
            "CREATE TABLE IF NOT EXISTS dionysus_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            "INSERT OR IGNORE INTO dionysus_meta (name, value) VALUES ('source_id', lower(hex(randomblob(16))))",
            "CREATE TABLE IF NOT EXISTS dionysus_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)",
            "INSERT OR IGNORE INTO dionysus_version (id, version) VALUES (1, 0)",
        ] + SQLiteTransactionMarker.creation
    }

    func laneIndexes(lanes: Int) -> [SQL] { tables.laneIndexes(lanes: lanes, dialect) }

    func removal() -> [SQL] {
        ([
            tables.name, "dionysus_lanes", "dionysus_meta", "dionysus_version",
        ] + SQLiteTransactionMarker.tables)
        .map {
            "DROP TABLE IF EXISTS \(identifier: $0)"
        }
    }

    /// Every draw looks at the clock.
    func raiseVersion(in transaction: inout Transaction) throws {}

    func lastID() -> SQL {
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = \(tables.name) COLLATE NOCASE), 0)"
    }

    func drawVersion() -> SQL {
        """
        UPDATE dionysus_version SET version = max(version + 1, \(Timestamp.now.microseconds)) WHERE id = 1
        RETURNING version
        """
    }

    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL] { [] }

    func wakeUp(in transaction: inout Transaction) throws -> SQL? { nil }

    func lockTimeout(_ timeout: Duration) -> [SQL] { [] }

    func upkeep() -> [SQL] { [] }

    var isCaptured: SQL { SQL(raw: SQLiteTransactionMarker.isCaptured) }

    var traceContext: (traceparent: SQL, tracestate: SQL) {
        ("(SELECT traceparent FROM dionysus_transaction)", "(SELECT tracestate FROM dionysus_transaction)")
    }

    func captureReport(_ request: CaptureRequest, in transaction: inout Transaction) throws -> CaptureReport {
        guard let outbox = try transaction.describe(table: tables.path) else { return CaptureReport() }
        var installed = try Self.installed(in: &transaction)
        var differences: [CaptureDifference] = []
        for capture in request.tables.sorted(by: { $0.table < $1.table }) {
            guard let table = try transaction.describe(table: capture.table) else { continue }
            let triggers = SQLiteCaptureTriggers(
                capture: capture,
                table: table,
                outbox: outbox,
                outboxName: tables.name,
                dialect: dialect
            )
            .all()
            let present = installed.removeValue(forKey: capture.table.lowercased()) ?? [:]
            guard present != triggers else { continue }
            let isMissing = present.isEmpty
            differences.append(
                CaptureDifference(
                    fault: isMissing
                        ? "table \(capture.table) has no capture triggers: run migrate"
                        : "the capture triggers of table \(capture.table) are not those of the declaration: run migrate",
                    change: isMissing
                        ? "installed capture triggers on \(capture.table)"
                        : "replaced the capture triggers of table \(capture.table)",
                    statements: Self.removal(of: present)
                        + triggers.sorted { $0.key < $1.key }.map { SQL(raw: $0.value) }
                )
            )
        }
        differences += installed.sorted { $0.key < $1.key }
            .map { table, triggers in
                CaptureDifference(
                    fault: "table \(table) has capture triggers, which the declaration does not ask for: run migrate",
                    change: "removed the capture triggers of table \(table)",
                    statements: Self.removal(of: triggers)
                )
            }
        return CaptureReport(differences: differences)
    }

    func messageTablesReport(
        _ tables: [MessageTableCapture],
        in transaction: inout Transaction
    ) throws -> CaptureReport {
        let name = self.tables.name
        guard let outbox = try transaction.describe(table: self.tables.path) else { return CaptureReport() }
        return try SQLiteMessageTables(outbox: outbox, outboxName: name, dialect: dialect)
            .report(tables, in: &transaction)
    }

    /// The text of each trigger, by table and name.
    ///
    /// A name's case says nothing in SQLite.
    private static func installed(in transaction: inout Transaction) throws -> [String: [String: String]] {
        let result = try transaction.run(
            #"""
            SELECT tbl_name, name, sql FROM sqlite_master
            WHERE type = 'trigger' AND name LIKE 'dionysus\_capture\_%' ESCAPE '\'
            """#
        )
        return try result.rows.reduce(into: [:]) { tables, row in
            let table = (try row.text(0) ?? "").lowercased()
            tables[table, default: [:]][try row.text(1) ?? ""] = try row.text(2) ?? ""
        }
    }

    private static func removal(of triggers: [String: String]) -> [SQL] {
        triggers.keys.sorted().map { SQL(raw: "DROP TRIGGER IF EXISTS \(quotedName($0))") }
    }
}

/// A quoted name; a dot is a part of it.
func quotedName(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
