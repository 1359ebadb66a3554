import Dionysus

/// The triggers that make messages of rows that other programs' outboxes get.
struct SQLiteMessageTables {
    private static let stem = "dionysus_messages_of_"

    let outbox: TableDescription
    let outboxName: String
    let dialect: SQLiteDialect

    /// In what the installed triggers differ from the requested ones.
    func report(_ requested: [MessageTableCapture], in transaction: inout Transaction) throws -> CaptureReport {
        var report = CaptureReport()
        var installed = try Self.installed(in: &transaction)
        for capture in requested.sorted(by: { $0.table < $1.table }) {
            let faults = capture.faults(try transaction.describe(table: capture.table))
            guard faults.isEmpty else {
                report.faults += faults
                continue
            }
            let name = Self.stem + capture.table.lowercased()
            let text = trigger(capture, named: name)
            let present = installed.removeValue(forKey: name)
            if present == text { continue }
            report.differences.append(
                CaptureDifference(
                    fault: present == nil
                        ? "table \(capture.table) has no trigger that makes messages of its rows: run migrate"
                        : "the trigger that makes messages of rows of \(capture.table) is not that of the declaration: run migrate",
                    change: "installed the trigger that makes messages of rows of \(capture.table)",
                    statements: [Self.removal(of: name), SQL(raw: text)]
                )
            )
        }
        report.differences += installed.keys.sorted()
            .map { name in
                let table = name.dropFirst(Self.stem.count)
                return CaptureDifference(
                    fault: "rows of \(table) become messages, which the declaration does not ask for: run migrate",
                    change: "removed the trigger that makes messages of rows of \(table)",
                    statements: [Self.removal(of: name)]
                )
            }
        return report
    }

    private func trigger(_ capture: MessageTableCapture, named name: String) -> String {
        func value(_ column: String) -> String { "NEW.\(quotedName(column))" }
        func text(_ column: String) -> String {
            "CASE typeof(\(value(column))) WHEN 'blob' THEN lower(hex(\(value(column)))) ELSE CAST(\(value(column)) AS text) END"
        }
        func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
        let topic =
            capture.topicSuffix.map {
                "\(literal(capture.topicPrefix)) || coalesce(\(text(capture.destination)), '') || \(literal($0))"
            } ?? literal(capture.topicPrefix)
        let headers = capture.orderedHeaders.map { name, column in
            "SELECT json_object('name', \(literal(name)), 'text', \(text(column))) AS h WHERE \(value(column)) IS NOT NULL"
        }
        let now = SQLiteCaptureTriggers.now
        let changeset = outbox.column("changeset") == nil ? "" : ", changeset"
        // The statement before has inserted the message.
        let message = "SELECT id FROM dionysus_messages WHERE rowid = last_insert_rowid()"
        return """
            CREATE TRIGGER \(quotedName(name)) AFTER INSERT ON \(dialect.quoted(capture.table)) FOR EACH ROW BEGIN
            INSERT INTO dionysus_messages (id, topic, message_key, message_value, headers, created_at)
            VALUES (lower(hex(randomblob(16))), \(topic), CAST(\(text(capture.key)) AS blob),
              CAST(\(value(capture.payload)) AS blob),
              (SELECT '[' || coalesce(group_concat(h, ','), '') || ']' FROM (\(headers.joined(separator: " UNION ALL ")))), \(now));
            INSERT INTO \(quotedName(outboxName))
              (resource_class, resource_id, event_name, topic, created_at, updated_at\(changeset))
            SELECT \(literal(capture.resourceClass)), coalesce(substr(\(text(capture.key)), 1, 200), ''),
              \(literal(capture.eventName)), \(topic), \(now), \(now)\(
                changeset.isEmpty ? "" : ", json_object('message', (\(message)))");
            END
            """
    }

    private static func removal(of name: String) -> SQL { SQL(raw: "DROP TRIGGER IF EXISTS \(quotedName(name))") }

    /// The text of each trigger, by its name in lower case.
    private static func installed(in transaction: inout Transaction) throws -> [String: String] {
        let found = try transaction.run(
            #"""
            SELECT name, sql FROM sqlite_master
            WHERE type = 'trigger' AND name LIKE 'dionysus\_messages\_of\_%' ESCAPE '\'
            """#
        )
        return try found.rows.reduce(into: [:]) { triggers, row in
            triggers[(try row.text(0) ?? "").lowercased()] = try row.text(1) ?? ""
        }
    }
}
