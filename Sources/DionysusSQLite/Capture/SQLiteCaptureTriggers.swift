import Dionysus

/// The triggers that write a table's changes into the outbox, row by row.
///
/// `REPLACE` deletes rows that conflict on a unique index without firing delete triggers, so that triggers before the
/// insert or update record those rows. When the statement resolves the conflict in another way, their rows are
/// superfluous, and the relay publishes the record's state.
struct SQLiteCaptureTriggers {
    static let operations = ["replace_insert", "replace_update", "insert", "update", "delete"]

    static let now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"

    let capture: TableCapture
    let table: TableDescription
    let dialect: SQLiteDialect

    static func triggerName(_ table: String, _ operation: String) -> String {
        "dionysus_capture_\(table.replacing(".", with: "_"))_\(operation)"
    }

    func statements() -> [SQL] {
        var statements = [trigger("update", "AFTER UPDATE", updateBody(), when: anyColumnDiffers)]
        // Of a table that is only observed, inserts and deletes say nothing.
        guard !capture.records.isEmpty || !capture.affected.isEmpty else { return statements }
        statements += [
            trigger("insert", "AFTER INSERT", insertBody()),
            trigger("delete", "AFTER DELETE", deleteBody(of: "OLD", from: "")),
        ]
        let replaced = conflicting()
        if !replaced.isEmpty {
            let exists = "EXISTS (SELECT 1 FROM \(quoted(capture.table)) r WHERE \(replaced))"
            let body = deleteBody(of: "r", from: "FROM \(quoted(capture.table)) r WHERE \(replaced)")
            statements.append(trigger("replace_insert", "BEFORE INSERT", body, when: exists))
            let others = "\(replaced) AND r.\(quoted(capture.primaryKey)) IS NOT OLD.\(quoted(capture.primaryKey))"
            statements.append(
                trigger(
                    "replace_update",
                    "BEFORE UPDATE",
                    deleteBody(of: "r", from: "FROM \(quoted(capture.table)) r WHERE \(others)"),
                    when: "EXISTS (SELECT 1 FROM \(quoted(capture.table)) r WHERE \(others))"
                )
            )
        }
        return statements
    }

    private func trigger(_ operation: String, _ event: String, _ body: String, when condition: String? = nil) -> SQL {
        SQL(
            raw: """
                CREATE TRIGGER \(quoted(Self.triggerName(capture.table, operation))) \(event) ON \(quoted(capture.table))
                FOR EACH ROW \(condition.map { "WHEN \($0)" } ?? "") BEGIN
                \(body)
                END
                """
        )
    }

    private func quoted(_ name: String) -> String { dialect.quoted(name) }

    private func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    private func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        literal(EventName(record.singular, change).description)
    }

    private func text(_ column: String, of alias: String) -> String { "CAST(\(alias).\(quoted(column)) AS TEXT)" }

    private func partitionKey(_ topic: RecordCapture.Topic, of alias: String) -> String {
        topic.partitionKey.map { text($0, of: alias) } ?? "NULL"
    }

    private var anyColumnDiffers: String { differs(table.columns.filter { !$0.isGenerated }.map(\.name)) }

    private func differs(_ columns: [String]) -> String {
        columns.map { "OLD.\(quoted($0)) IS NOT NEW.\(quoted($0))" }.joined(separator: " OR ")
    }

    /// Rows that have the values of the new row in a unique index.
    private func conflicting() -> String {
        let keys = table.uniqueKeys.isEmpty ? [table.primaryKey] : table.uniqueKeys
        return keys.filter { !$0.isEmpty }
            .map { key in "(" + key.map { "r.\(quoted($0)) = NEW.\(quoted($0))" }.joined(separator: " AND ") + ")" }
            .joined(separator: " OR ")
            .wrapped
    }

    private static let insert = """
        INSERT INTO dionysus_outboxes
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at, changeset)
        """

    private func row(
        _ record: RecordCapture,
        _ topic: RecordCapture.Topic,
        of alias: String,
        event: String,
        from: String,
        changeset: String = "NULL"
    ) -> String {
        """
        \(Self.insert)
        SELECT \(literal(record.modelName)), \(text(record.primaryKey, of: alias)), \(event), \(literal(topic.name)),
          \(partitionKey(topic, of: alias)), \(Self.now), \(Self.now), \(changeset) \(from);
        """
    }

    // MARK: Bodies

    private func insertBody() -> String {
        (rows(of: "NEW") { event($0, .created) } + capture.affected.map { affected($0, of: "NEW", from: "") })
            .joined(separator: "\n")
    }

    private func deleteBody(of alias: String, from: String) -> String {
        (rows(of: alias, from: from) { event($0, .destroyed) }
            + capture.affected.map { affected($0, of: alias, from: from) })
            .joined(separator: "\n")
    }

    private func updateBody() -> String {
        let key = quoted(capture.primaryKey)
        var statements = rows(of: "OLD", from: "WHERE OLD.\(key) IS NOT NEW.\(key)") { event($0, .destroyed) }
        for record in capture.records {
            let change = changeOfUpdate(record)
            statements += record.topics.map { topic in
                row(
                    record,
                    topic,
                    of: "NEW",
                    event: change,
                    from: "WHERE \(change) IS NOT NULL",
                    changeset: move(record, topic)
                )
            }
        }
        for affected in capture.affected {
            let condition = affected.columns.map { "WHERE (\(differs($0)))" } ?? ""
            statements.append(self.affected(affected, of: "OLD", from: condition))
            if let hop = affected.path.first {
                let moved = "(\(differs(hop.sourceColumns)))"
                statements.append(
                    self.affected(
                        affected,
                        of: "NEW",
                        from: condition.isEmpty ? "WHERE \(moved)" : "\(condition) AND \(moved)"
                    )
                )
            }
        }
        if let observed = capture.observed { statements.append(observation(observed)) }
        return statements.joined(separator: "\n")
    }

    private func rows(of alias: String, from: String = "", event: (RecordCapture) -> String) -> [String] {
        capture.records.flatMap { record in
            record.topics.map { row(record, $0, of: alias, event: event(record), from: from) }
        }
    }

    /// The old and the new partition key of a record that moves, so that the relay can wait for its rows elsewhere.
    ///
    /// A record that is restored may have moved while its changes were not captured.
    private func move(_ record: RecordCapture, _ topic: RecordCapture.Topic) -> String {
        guard let column = topic.partitionKey else { return "NULL" }
        let (old, new) = ("OLD.\(quoted(column))", "NEW.\(quoted(column))")
        let restored = record.softDeleteColumn.map { " OR OLD.\(quoted($0)) IS NOT NULL AND NEW.\(quoted($0)) IS NULL" }
        let key = quoted(capture.primaryKey)
        return """
            CASE WHEN OLD.\(key) IS NEW.\(key) AND (\(old) IS NOT \(new)\(restored ?? ""))
              THEN json_object(\(literal(column)), json_array(\(old), \(new))) END
            """
    }

    private func changeOfUpdate(_ record: RecordCapture) -> String {
        let key = quoted(capture.primaryKey)
        var cases = "CASE WHEN OLD.\(key) IS NOT NEW.\(key) THEN \(event(record, .created))"
        if let column = record.softDeleteColumn.map(quoted) {
            cases += """
                 WHEN NEW.\(column) IS NOT NULL AND NEW.\(column) IS NOT OLD.\(column) THEN \(event(record, .destroyed))
                WHEN NEW.\(column) IS NULL AND OLD.\(column) IS NOT NULL THEN \(event(record, .created))
                WHEN NEW.\(column) IS NOT NULL THEN \(record.updatesAfterSoftDelete ? event(record, .updated) : "NULL")
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    /// The records that are reached from a changed row.
    private func affected(_ affected: AffectedCapture, of alias: String, from: String) -> String {
        let record = affected.record
        let end = "t\(affected.path.count)"
        let first = affected.path.prefix(1)
            .map { hop in
                let columns = hop.sourceColumns.map { "\(alias).\(quoted($0)) AS \(quoted($0))" }
                return """
                    FROM (SELECT \(columns.joined(separator: ", ")) \(from)) changed
                    JOIN \(quoted(hop.otherTable)) t1 ON t1.\(quoted(hop.otherColumn)) = changed.\(quoted(hop.column))
                      \(self.condition(hop, source: "changed", target: "t1"))
                    """
            }
        let rest = affected.path.enumerated().dropFirst()
            .map { index, hop in
                "JOIN \(quoted(hop.otherTable)) t\(index + 1) "
                    + "ON t\(index + 1).\(quoted(hop.otherColumn)) = t\(index).\(quoted(hop.column)) "
                    + self.condition(hop, source: "t\(index)", target: "t\(index + 1)")
            }
        let visible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete ? "" : "WHERE \(end).\(quoted(column)) IS NULL"
        }
        return record.topics
            .map { topic in
                """
                \(Self.insert)
                SELECT DISTINCT \(literal(record.modelName)), \(text(record.primaryKey, of: end)), \(event(record, .updated)),
                  \(literal(topic.name)), \(partitionKey(topic, of: end)), \(Self.now), \(Self.now), NULL
                \((first + rest).joined(separator: "\n")) \(visible ?? "");
                """
            }
            .joined(separator: "\n")
    }

    private func condition(_ hop: AssociationHop, source: String, target: String) -> String {
        guard let condition = hop.condition else { return "" }
        let alias = condition.side == .source ? source : target
        return "AND \(alias).\(quoted(condition.column)) = \(literal(condition.value))"
    }

    /// Only the names of the observed columns that changed, and no values.
    private func observation(_ observed: ObservedCapture) -> String {
        let changed = observed.columns.map { column in
            "SELECT \(literal(column)) AS name WHERE \(differs([column]))"
        }
        let changeset = "(SELECT json_group_object(name, NULL) FROM (\(changed.joined(separator: " UNION ALL "))))"
        return """
            \(Self.insert)
            SELECT \(literal(observed.modelName)), \(text(capture.primaryKey, of: "NEW")),
              \(literal(EventName(observed.singular, .updated).description)), '__outbox_observer__', NULL,
              \(Self.now), \(Self.now), \(changeset)
            WHERE \(differs(observed.columns));
            """
    }
}

extension String {
    fileprivate var wrapped: String { isEmpty ? "" : "(\(self))" }
}
