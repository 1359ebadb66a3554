import Dionysus

/// The triggers that make messages of rows that other programs' outboxes get.
///
/// Their functions have the rights of the role that inserts, as publishing a message has.
struct MessageTables {
    private static let stem = "dionysus_messages_of_"
    private static let trigger = "dionysus_messages_of_rows"

    let outbox: CaptureOutbox

    /// A table as the session's search path finds it.
    private struct Found {
        let capture: MessageTableCapture
        let description: TableDescription
        let oid: Int64
    }

    /// In what the installed triggers differ from the requested ones.
    func report(_ requested: [MessageTableCapture], in transaction: inout Transaction) throws -> CaptureReport {
        var faults: [String] = []
        var tables: [Found] = []
        for capture in requested.sorted(by: { $0.table < $1.table }) {
            let description = try transaction.describe(table: capture.table)
            faults += capture.faults(description)
            let name = PostgresDialect().quoted(capture.table)
            let oid = try transaction.run("SELECT pg_catalog.to_regclass(\(name))::pg_catalog.oid::pg_catalog.int8")
                .first?
                .integer(0)
            guard let description, let oid, faults.isEmpty else { continue }
            tables.append(Found(capture: capture, description: description, oid: oid))
        }
        if !requested.isEmpty, !outbox.hasChangeset {
            faults.append("the outbox has no column changeset, by which its rows would name their messages")
        }
        guard faults.isEmpty else { return CaptureReport(faults: faults) }
        return try transaction.withServerSearchPath { try report(tables, in: &$0) }
    }

    private func report(_ tables: [Found], in transaction: inout Transaction) throws -> CaptureReport {
        var report = CaptureReport()
        var installed = try Self.installed(schema: outbox.schema, in: &transaction)
        for table in tables {
            let (capture, description) = (table.capture, table.description)
            let relation = try Self.relation(table.oid, in: &transaction)
            guard let relation, ["r", "p"].contains(relation.kind) else {
                report.faults.append("\(capture.table), whose rows are to be messages, is not a table")
                continue
            }
            let function = Self.stem + String(relation.name.utf8.fnv1a, radix: 16)
            let body = body(capture, description)
            let present = installed.removeValue(forKey: relation.name)
            if let present, present.function == function, present.body == body, present.isEnabled { continue }
            report.differences.append(
                CaptureDifference(
                    fault: present == nil
                        ? "table \(capture.table) has no trigger that makes messages of its rows: run migrate"
                        : "the trigger that makes messages of rows of \(capture.table) is not that of the declaration: run migrate",
                    change: "installed the trigger that makes messages of rows of \(capture.table)",
                    statements: definition(function, body, on: relation.name)
                )
            )
        }
        report.differences += installed.sorted { $0.key < $1.key }
            .map { table, present in
                CaptureDifference(
                    fault: "rows of \(table) become messages, which the declaration does not ask for: run migrate",
                    change: "removed the trigger that makes messages of rows of \(table)",
                    statements: [
                        SQL(raw: "DROP TRIGGER IF EXISTS \(quotedName(Self.trigger)) ON \(table)"),
                        SQL(raw: "DROP FUNCTION IF EXISTS \(outbox.qualified(quotedName(present.function)))()"),
                    ]
                )
            }
        return report
    }

    private func definition(_ function: String, _ body: String, on table: String) -> [SQL] {
        let name = outbox.qualified(quotedName(function))
        let literal = "E'" + body.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
        return [
            SQL(
                raw: """
                    CREATE OR REPLACE FUNCTION \(name)() RETURNS trigger LANGUAGE plpgsql
                    SET search_path = pg_catalog, pg_temp AS \(literal)
                    """
            ),
            SQL(
                raw: """
                    CREATE OR REPLACE TRIGGER \(quotedName(Self.trigger)) AFTER INSERT ON \(table)
                    FOR EACH ROW EXECUTE FUNCTION \(name)()
                    """
            ),
            SQL(raw: "ALTER TABLE \(table) ENABLE TRIGGER \(quotedName(Self.trigger))"),
        ]
    }

    private func body(_ capture: MessageTableCapture, _ table: TableDescription) -> String {
        func text(_ column: String) -> String { "NEW.\(quotedName(column))::pg_catalog.text" }
        let payload =
            table.column(capture.payload)?.type == .bytes
            ? "NEW.\(quotedName(capture.payload))" : "pg_catalog.convert_to(\(text(capture.payload)), 'UTF8')"
        let topic = capture.topicSuffix.map {
            "pg_catalog.concat(\(quotedLiteral(capture.topicPrefix)), \(text(capture.destination)), \(quotedLiteral($0)))"
        }
        let headers = capture.orderedHeaders.map { name, column in
            "CASE WHEN \(text(column)) IS NOT NULL THEN pg_catalog.json_build_object('name', "
                + "\(quotedLiteral(name))::pg_catalog.text, 'text', \(text(column))) END"
        }
        let time = "pg_catalog.clock_timestamp()" + (outbox.hasZones ? "" : " AT TIME ZONE 'UTC'")
        let changeset =
            "pg_catalog.json_build_object('message', dionysus_id)::pg_catalog.text::\(outbox.changesetType ?? "jsonb")"
        return """
            DECLARE
              dionysus_id pg_catalog.text := pg_catalog.gen_random_uuid()::pg_catalog.text;
              dionysus_topic pg_catalog.text := \(topic ?? "\(quotedLiteral(capture.topicPrefix))");
              dionysus_key pg_catalog.text := \(text(capture.key));
            BEGIN
              INSERT INTO \(outbox.messages) (id, topic, message_key, message_value, headers, created_at)
              SELECT dionysus_id, dionysus_topic, pg_catalog.convert_to(dionysus_key, 'UTF8'), \(payload),
                (SELECT pg_catalog.concat('[', pg_catalog.string_agg(h::pg_catalog.text, ',' ORDER BY n), ']')
                 FROM pg_catalog.unnest(ARRAY[\(headers.joined(separator: ", "))]) WITH ORDINALITY AS u (h, n)
                 WHERE h IS NOT NULL),
                pg_catalog.clock_timestamp();
              INSERT INTO \(outbox.name)
                (resource_class, resource_id, event_name, topic, created_at, updated_at, changeset)
              SELECT \(quotedLiteral(capture.resourceClass)),
                coalesce(pg_catalog.left(dionysus_key, 200), dionysus_id), \(quotedLiteral(capture.eventName)),
                dionysus_topic, \(time), \(time), \(changeset);
              IF pg_catalog.has_table_privilege(\(quotedLiteral(outbox.wakeUps)), 'SELECT') THEN
                IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(\(outbox.wakeUpLock)) THEN
                  IF pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN
                    PERFORM pg_catalog.pg_notify(w.channel, '') FROM \(outbox.wakeUps) w
                      WHERE pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<) 0.5;
                  END IF;
                END IF;
              END IF;
              RETURN NULL;
            END
            """
    }

    private struct Installed {
        let function: String
        let body: String
        let isEnabled: Bool
    }

    /// The triggers that stand, by the quoted names of their tables.
    private static func installed(
        schema: String,
        in transaction: inout Transaction
    ) throws -> [String: Installed] {
        let found = try transaction.run(
            #"""
            SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), p.proname::text, p.prosrc, t.tgenabled IN ('O', 'A')
            FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
            WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname = \#(trigger) AND f.nspname = \#(schema)
              AND p.proname LIKE 'dionysus\_messages\_of\_%'
            """#
        )
        return try found.rows.reduce(into: [:]) { installed, row in
            installed[try row.text(0) ?? ""] = Installed(
                function: try row.text(1) ?? "",
                body: try row.text(2) ?? "",
                isEnabled: row[3] == .bool(true)
            )
        }
    }

    private static func relation(
        _ oid: Int64,
        in transaction: inout Transaction
    ) throws -> (name: String, kind: String)? {
        let found = try transaction.run(
            """
            SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid::pg_catalog.int8 = \(oid)
            """
        )
        guard let row = found.first, let name = try row.text(0), let kind = try row.text(1) else { return nil }
        return (name, kind)
    }
}
