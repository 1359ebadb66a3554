import Dionysus

/// The outbox's parts that are PostgreSQL's own: sequences, snapshots, set-based triggers.
///
/// The outbox's timestamps have no time zone and are UTC, as Rails creates them, so that either side can drain
/// the other's table.
struct PostgresOutbox: OutboxSupport {
    var tables = OutboxTables()
    let dialect = PostgresDialect()

    /// A table or sequence as functions take it that look a name up.
    func literal(_ table: String) -> SQL { SQL(raw: quotedLiteral(dialect.quoted(tables.path(table)))) }

    func time(shiftedBy seconds: Double) -> SQL {
        if seconds == 0 { return "(clock_timestamp() AT TIME ZONE 'UTC')" }
        return "((clock_timestamp() + pg_catalog.make_interval(secs => \(seconds))) AT TIME ZONE 'UTC')"
    }

    func statementTime(shiftedBy seconds: Double) -> SQL {
        "((statement_timestamp() + pg_catalog.make_interval(secs => \(seconds))) AT TIME ZONE 'UTC')"
    }

    func storedTime(_ expression: SQL) -> SQL { "(\(expression) AT TIME ZONE 'UTC')" }

    /// Only ever raised, and by whole seconds at least, so that a version drawn meanwhile can't be drawn again.
    ///
    /// The lock is a row of a table of ours, which takes a right to change it, and the wait for
    /// it is bounded.
    func raiseVersion(in transaction: inout Transaction) throws {
        try transaction.run([
            "SELECT set_config('lock_timeout', '5s', true)",
            "SELECT value FROM \(tables.meta) WHERE name = 'source_id' FOR UPDATE",
        ])
        try transaction.run(
            """
            SELECT pg_catalog.setval(\(literal("dionysus_version"))::pg_catalog.regclass, clock.version) FROM (
              SELECT (extract(epoch FROM clock_timestamp()) OPERATOR(pg_catalog.*) 1000000)::bigint AS version
            ) clock
            WHERE clock.version > (SELECT last_value FROM \(tables.beside("dionysus_version"))) + 1000000
            """
        )
    }

    func drawVersion() -> SQL { "SELECT pg_catalog.nextval(\(literal("dionysus_version"))::pg_catalog.regclass)" }

    private var sequence: SQL { "pg_get_serial_sequence(\(literal(tables.name)), 'id')::regclass" }

    private var lastDrawnID: SQL { "coalesce(pg_sequence_last_value(\(sequence)), 0)" }

    func seeingAllRows() -> [SQL] { ["SELECT set_config('row_security', 'off', true)"] }

    /// Records are found by their keys, for which no plan is better than the first: the server would make five before it
    /// keeps one.
    func loadingByKeys() -> [SQL] {
        ["SELECT set_config('row_security', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)"]
    }

    func holdsUnicode(in transaction: inout Transaction) throws -> Bool {
        try transaction.run("SELECT current_setting('server_encoding') = 'UTF8'").first?[0] == .bool(true)
    }

    func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String] {
        let names = tables.map { DatabaseValue.text(dialect.quoted($0)) }
        let rows = dialect.rows(
            [BulkColumn("name", .text, tables.map { .text($0) }), BulkColumn("quoted", .text, names)],
            alias: "asked"
        )
        let hidden = try transaction.run(
            "SELECT asked.name FROM \(rows) WHERE pg_catalog.row_security_active(pg_catalog.to_regclass(asked.quoted)::pg_catalog.oid) ORDER BY asked.name"
        )
        return try hidden.rows.compactMap { try $0.text(0) }
    }

    func outboxFaults(in transaction: inout Transaction) throws -> [String] {
        let row =
            try transaction.run(
                """
                SELECT s.seqrelid::regclass::text, s.seqcache, coalesce(pg_sequence_last_value(s.seqrelid), 0), o.highest
                FROM pg_sequence s, (SELECT coalesce(max(id), 0) AS highest FROM \(tables.outbox)) o
                WHERE s.seqrelid = \(sequence)::pg_catalog.oid
                """
            )
            .first
        guard let row, let name = try row.text(0), let cache = try row.integer(1), let last = try row.integer(2),
            let highest = try row.integer(3)
        else { return [] }
        var faults: [String] = []
        if last < highest {
            faults.append(
                "the sequence \(name) stands at \(last) and \(tables.path) has ids up to \(highest), so that ids come "
                    + "again: run SELECT setval('\(name)', (SELECT max(id) FROM \(tables.outbox)))"
            )
        }
        if cache > 1 {
            faults.append(
                "the sequence \(name) has CACHE \(cache), so that rows appear below those published: run migrate"
            )
        }
        return faults
    }

    func lastID() -> SQL { "SELECT \(lastDrawnID)" }

    /// An id is decided once every transaction that could have drawn it has ended.
    ///
    /// The mark remembers the last id drawn. A later transaction of the lane, whose own id is above those of all that may
    /// have drawn such an id, adds that. Once all transactions before that one have ended, the low-water mark may move up
    /// to the marked id, though not past a row that is still to be published.
    ///
    /// A snapshot's upper end would not do: it lies behind the last transaction that has *ended*, and so before younger
    /// ones that are open.
    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL] {
        let isLane: SQL =
            "\(raw: dialect.laneExpression("coalesce(o.partition_key, o.resource_class || ':' || o.resource_id)", lanes: lanes)) = \(lane)"
        let lowest = [OutboxStage.fresh, .retrying]
            .map { stage -> SQL in
                """
                (SELECT min(o.id) - 1 FROM \(tables.outbox) o
                  WHERE \(isLane) AND o.published_at IS NULL AND o.id > dionysus_lanes.low_water
                    AND \(raw: OutboxStage.expression(of: "o.")) = \(raw: String(stage.rawValue)))
                """
            }
        return [
            // The sequence may have been set back. What has been passed by then, a sweep finds.
            """
            UPDATE \(tables.lanes) SET mark_id = NULL, mark_xid = NULL, low_water = least(low_water, \(lastDrawnID))
            WHERE lane = \(lane) AND greatest(low_water, mark_id) > \(lastDrawnID) AND \(sequence) IS NOT NULL
            """,
            """
            UPDATE \(tables.lanes) SET mark_id = NULL, mark_xid = NULL, low_water = greatest(low_water, least(mark_id,
              \(lowest.joined(separator: ", "))))
            WHERE lane = \(lane) AND mark_xid::xid8 <= pg_snapshot_xmin(pg_current_snapshot())
            """,
            """
            UPDATE \(tables.lanes) SET mark_xid = pg_current_xact_id()::text
            WHERE lane = \(lane) AND mark_id IS NOT NULL AND mark_xid IS NULL
            """,
            """
            UPDATE \(tables.lanes) SET mark_id = \(lastDrawnID)
            WHERE lane = \(lane) AND mark_id IS NULL AND low_water < \(lastDrawnID)
            """,
            "SELECT 1 FROM \(tables.lanes) WHERE lane = \(lane) AND (mark_id IS NOT NULL OR low_water < \(lastDrawnID))",
        ]
    }

    func wakeUp(in transaction: inout Transaction) throws -> SQL? {
        let mayRead: SQL = """
            SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT')
              AND pg_catalog.current_setting('max_prepared_transactions') = '0'
            FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(\(literal("dionysus_wake_ups")))::pg_catalog.oid
            """
        guard try transaction.run(mayRead).first?[0] == .bool(true),
            let channel = try transaction.run("SELECT channel FROM \(tables.beside("dionysus_wake_ups"))").first?
                .text(0)
        else { return nil }
        return """
            SELECT pg_catalog.pg_notify(\(channel), '')
            WHERE NOT pg_catalog.pg_try_advisory_xact_lock_shared(\(raw: String(try wakeUpLock(in: &transaction))))
              AND pg_catalog.pg_notification_queue_usage() < 0.5::pg_catalog.float8
            """
    }

    /// Only tables of the server's own have row versions: views and foreign tables don't.
    func rowVersion(ofTable table: String, alias: String, in transaction: inout Transaction) throws -> SQL? {
        let isTable: SQL = """
            SELECT 1 FROM pg_catalog.pg_class c
            WHERE c.oid = pg_catalog.to_regclass(\(dialect.quoted(table)))::pg_catalog.oid AND c.relkind IN ('r', 'p')
            """
        return try transaction.run(isTable).isEmpty ? nil : "\(raw: alias).xmin::pg_catalog.text"
    }

    var transactionMark: SQL { "pg_current_xact_id()::text" }

    func haveEnded(upTo mark: SQL) -> SQL { "(\(mark))::xid8 <= pg_snapshot_xmin(pg_current_snapshot())" }

    var isCaptured: SQL { "current_setting('dionysus.capture', true) IS DISTINCT FROM 'off'" }

    var traceContext: (traceparent: SQL, tracestate: SQL) {
        (
            "nullif(current_setting('dionysus.traceparent', true), '')",
            "nullif(current_setting('dionysus.tracestate', true), '')"
        )
    }

    func messageTablesReport(
        _ tables: [MessageTableCapture],
        in transaction: inout Transaction
    ) throws -> CaptureReport {
        guard let (_, outbox) = try capturing(CaptureRequest(tables: []), in: &transaction) else {
            return CaptureReport()
        }
        return try MessageTables(outbox: outbox).report(tables, in: &transaction)
    }

    /// What the catalogue says of capture, and the outbox as triggers write to it; nil if there is no outbox.
    private func capturing(
        _ request: CaptureRequest,
        in transaction: inout Transaction
    ) throws -> (CaptureCatalogue, CaptureOutbox)? {
        let names = Set(request.tables.flatMap(\.tablesRead)).sorted()
        guard let catalogue = try CaptureCatalogue.read(names, outbox: tables, in: &transaction),
            let description = try transaction.describe(table: tables.path)
        else { return nil }
        let outbox = CaptureOutbox(
            schema: catalogue.outboxSchema,
            baseName: tables.name,
            owner: catalogue.outboxOwnerName,
            columns: description.columns,
            wakeUpLock: try wakeUpLock(in: &transaction),
            suppressionRole: request.suppressionRole
        )
        return (catalogue, outbox)
    }

    func captureReport(_ request: CaptureRequest, in transaction: inout Transaction) throws -> CaptureReport {
        guard let (catalogue, outbox) = try capturing(request, in: &transaction) else { return CaptureReport() }
        return try transaction.withServerSearchPath { transaction in
            CaptureReport(
                differences: try CaptureDifferences(catalogue: catalogue, outbox: outbox, request: request)
                    .all(in: &transaction),
                faults: CaptureFaults(catalogue: catalogue, request: request).all(),
                warnings: CaptureRole(catalogue: catalogue, outbox: outbox).warnings(request.tables)
            )
        }
    }

    private func wakeUpLock(in transaction: inout Transaction) throws -> Int64 {
        // An outbox that another program has made, and that has not been migrated yet, has no notes.
        guard try transaction.describe(table: tables.path("dionysus_meta")) != nil else { return 0 }
        let value = try transaction.run("SELECT value FROM \(tables.meta) WHERE name = 'wake_up_lock'").first?.text(0)
        return value.flatMap { Int64($0) } ?? 0
    }
}
