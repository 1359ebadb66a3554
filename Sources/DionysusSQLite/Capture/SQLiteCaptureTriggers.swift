import Dionysus

/// The triggers that write a table's changes into the outbox, row by row.
///
/// `REPLACE` deletes rows that conflict on a unique index without firing delete triggers, so that triggers before the
/// insert or update record those rows. When the statement resolves the conflict in another way, their rows are
/// superfluous, and the relay publishes the record's state.
struct SQLiteCaptureTriggers {
    static let now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"

    let capture: TableCapture
    let table: TableDescription
    let outbox: TableDescription
    let outboxName: String
    let dialect: SQLiteDialect

    /// The text of each trigger, by its name.
    func all() -> [String: String] {
        Dictionary(uniqueKeysWithValues: triggers().map { ($0.name, $0.text) })
    }

    private func triggers() -> [(name: String, text: String)] {
        var statements = [trigger("update", "AFTER UPDATE", updateBody(), when: differs(readColumns))]
        // Of a table that is only observed, inserts and deletes say nothing.
        guard !capture.records.isEmpty || !capture.affected.isEmpty else { return statements }
        statements += [
            trigger("insert", "AFTER INSERT", insertBody()),
            trigger("delete", "AFTER DELETE", deleteBody(of: "OLD", from: "")),
        ]
        let replaced = conflicting()
        if !replaced.isEmpty {
            let exists = "EXISTS (SELECT 1 FROM \(dialect.quoted(capture.table)) dionysus_r WHERE \(replaced))"
            let body = deleteBody(
                of: "dionysus_r",
                from: "FROM \(dialect.quoted(capture.table)) dionysus_r WHERE \(replaced)"
            )
            statements.append(trigger("replace_insert", "BEFORE INSERT", body, when: exists))
            let keys = capture.records.isEmpty && !table.primaryKey.isEmpty ? table.primaryKey : [capture.primaryKey]
            let isSame = keys.map { "dionysus_r.\(quoted($0)) IS OLD.\(quoted($0))" }.joined(separator: " AND ")
            let others = "\(replaced) AND NOT (\(isSame))"
            statements.append(
                trigger(
                    "replace_update",
                    "BEFORE UPDATE",
                    deleteBody(
                        of: "dionysus_r",
                        from: "FROM \(dialect.quoted(capture.table)) dionysus_r WHERE \(others)"
                    ),
                    when: "EXISTS (SELECT 1 FROM \(dialect.quoted(capture.table)) dionysus_r WHERE \(others))"
                )
            )
        }
        return statements
    }

    private func trigger(
        _ operation: String,
        _ event: String,
        _ body: String,
        when condition: String? = nil
    ) -> (name: String, text: String) {
        let name = "dionysus_capture_\(capture.table)_\(operation)"
        let text = """
            CREATE TRIGGER \(quoted(name)) \(event) ON \(dialect.quoted(capture.table))
            FOR EACH ROW WHEN \(SQLiteTransactionMarker.isCaptured)\(condition.map { " AND (\($0))" } ?? "") BEGIN
            \(body)
            END
            """
        return (name, text)
    }

    func quoted(_ name: String) -> String { quotedName(name) }

    func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    private func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        literal(EventName(record.singular, change).description)
    }

    private func text(_ column: String, of alias: String) -> String {
        SQLiteDialect.textParts.joined(separator: "\(alias).\(quoted(column))")
    }

    /// The text of a key.
    ///
    /// A row without a key, which most primary keys let in, must not make the write fail.
    private func id(_ column: String, of alias: String) -> String { "coalesce(\(text(column, of: alias)), '')" }

    private func partitionKey(_ topic: RecordCapture.Topic, of alias: String) -> String {
        switch topic.partitionKey {
        case .none: "NULL"
        case .column(let column): text(column, of: alias)
        case .constant(let text): literal(text)
        }
    }

    /// The columns of which one must change.
    ///
    /// The application can drop any other.
    private var readColumns: [String] {
        let all = table.columns.filter { !$0.isGenerated }.map(\.name)
        let read = capture.records.map(\.columns) + capture.affected.map(\.columns)
        var columns = read.reduce(into: Set(capture.observed?.columns ?? [])) { $0.formUnion($1 ?? all) }
        if !capture.records.isEmpty || capture.observed != nil { columns.insert(capture.primaryKey) }
        return columns.union(capture.affected.flatMap { $0.path.first?.sourceColumns ?? [] }).sorted()
    }

    /// Byte by byte: under a collation that ignores case, a text that is written differently is published, too.
    func differs(_ columns: [String]) -> String {
        columns.map { "OLD.\(quoted($0)) IS NOT NEW.\(quoted($0)) COLLATE BINARY" }.joined(separator: " OR ")
    }

    /// Rows that have the values of the new row in a unique index.
    private func conflicting() -> String {
        let keys = table.uniqueKeys.isEmpty ? [table.primaryKey] : table.uniqueKeys
        // Whether a condition holds is not known; a row too many does no harm.
        return (keys + table.conditionalUniqueKeys).filter { !$0.isEmpty }
            .map { key in
                "(" + key.map { "dionysus_r.\(quoted($0)) = NEW.\(quoted($0))" }.joined(separator: " AND ") + ")"
            }
            .joined(separator: " OR ")
            .wrapped
    }

    private var hasContext: Bool { outbox.column("traceparent") != nil && outbox.column("tracestate") != nil }

    private var insert: String {
        """
        INSERT INTO \(quotedName(outboxName))
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
            hasChangeset ? ", changeset" : "")\(hasContext ? ", traceparent, tracestate" : ""))
        """
    }

    private var context: String {
        guard hasContext else { return "" }
        return ", (SELECT traceparent FROM dionysus_transaction), (SELECT tracestate FROM dionysus_transaction)"
    }

    /// Whether the outbox has changesets: dionysus-rb's has, where its application observes anything.
    private var hasChangeset: Bool { outbox.column("changeset") != nil }

    /// The changeset, after a comma, as the outbox's column takes it: another program may have created the table.
    private func stored(_ changeset: String) -> String {
        guard let column = outbox.column("changeset") else { return "" }
        return column.isNullable ? ", \(changeset)" : ", coalesce(\(changeset), '{}')"
    }

    private func row(
        _ record: RecordCapture,
        _ topic: RecordCapture.Topic,
        of alias: String,
        event: String,
        from: String,
        changeset: String
    ) -> String {
        """
        \(insert)
        SELECT \(literal(record.modelName)), \(id(record.primaryKey, of: alias)), \(event), \(literal(topic.name)),
          \(partitionKey(topic, of: alias)), \(Self.now), \(Self.now)\(stored(changeset))\(context) \(from);
        """
    }

    // MARK: Bodies

    private func insertBody() -> String {
        let own = capture.records.flatMap { record in
            record.topics.map { topic in
                row(
                    record,
                    topic,
                    of: "NEW",
                    event: event(record, .created),
                    from: "",
                    changeset: changeset(entries().ofInsert(record))
                )
            }
        }
        return (own + capture.affected.map { affected($0, of: "NEW", from: "") }).joined(separator: "\n")
    }

    private func deleteBody(of alias: String, from: String) -> String {
        (destruction(of: alias, from: from) + capture.affected.map { affected($0, of: alias, from: from) })
            .joined(separator: "\n")
    }

    private func destruction(of alias: String, from: String) -> [String] {
        capture.records.flatMap { record in
            record.topics.map { topic in
                row(
                    record,
                    topic,
                    of: alias,
                    event: event(record, .destroyed),
                    from: from,
                    changeset: changeset(entries(old: alias).ofDelete(record))
                )
            }
        }
    }

    private func updateBody() -> String {
        let key = quoted(capture.primaryKey)
        var statements = destruction(of: "OLD", from: "WHERE OLD.\(key) IS NOT NEW.\(key)")
        for record in capture.records {
            let change = changeOfUpdate(record)
            let columns = record.columns ?? table.columns.filter { !$0.isGenerated }.map(\.name)
            statements += record.topics.map { topic in
                row(
                    record,
                    topic,
                    of: "NEW",
                    event: change,
                    from: "WHERE \(change) IS NOT NULL AND (\(differs(columns)))",
                    changeset: changeset(entries().ofUpdate(record, topic))
                )
            }
        }
        for affected in capture.affected {
            let condition = affected.columns.map { "WHERE (\(differs($0)))" } ?? ""
            statements.append(self.affected(affected, of: "OLD", from: condition))
            if let first = affected.path.first {
                let moved = "(\(differs(first.sourceColumns)))"
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

    /// Whether a soft-deleted record is one of those whose changes are published.
    private func exempt(_ record: RecordCapture, _ alias: String) -> String? {
        guard let condition = record.updatedAfterSoftDelete, !condition.values.isEmpty else { return nil }
        let values = condition.valuesWithNumbers.map(literal).joined(separator: ", ")
        return "coalesce(\(text(condition.column, of: alias)) IN (\(values)), 0)"
    }

    private func notExempt(_ record: RecordCapture) -> String {
        exempt(record, "NEW").map { " AND NOT \($0)" } ?? ""
    }

    private func changeOfUpdate(_ record: RecordCapture) -> String {
        let key = quoted(capture.primaryKey)
        var cases = "CASE WHEN OLD.\(key) IS NOT NEW.\(key) THEN \(event(record, .created))"
        if let column = record.softDeleteColumn.map(quoted) {
            cases += """
                 WHEN NEW.\(column) IS NOT NULL AND NEW.\(column) IS NOT OLD.\(column) THEN \(event(record, .destroyed))
                WHEN NEW.\(column) IS NULL AND OLD.\(column) IS NOT NULL THEN \(event(record, .created))
                WHEN NEW.\(column) IS NOT NULL\(notExempt(record)) THEN \(
                    record.updatesAfterSoftDelete ? event(record, .updated) : "NULL")
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    /// The records that are reached from a changed row.
    private func affected(_ affected: AffectedCapture, of alias: String, from: String) -> String {
        let record = affected.record
        let end = "dionysus_t\(affected.path.count)"
        guard let first = affected.path.first else { return "" }
        let columns = first.sourceColumns.map { "\(alias).\(quoted($0)) AS \(quoted($0))" }
        let joins = PathJoin(affected.path, from: "dionysus_changed") { "dionysus_t\($0)" }.steps
            .map { $0.text(table: dialect.quoted($0.hop.otherTable), quoted: quoted, literal: literal) }
        let isVisible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete
                ? "" : "WHERE \(end).\(quoted(column)) IS NULL" + (exempt(record, end).map { " OR \($0)" } ?? "")
        }
        return record.topics
            .map { topic in
                """
                \(insert)
                SELECT DISTINCT \(literal(record.modelName)), \(id(record.primaryKey, of: end)), \(event(record, .updated)),
                  \(literal(topic.name)), \(partitionKey(topic, of: end)), \(Self.now), \(Self.now)\(stored("NULL"))\(context)
                FROM (SELECT \(columns.joined(separator: ", ")) \(from)) dionysus_changed
                \(joins.joined(separator: "\n")) \(isVisible ?? "");
                """
            }
            .joined(separator: "\n")
    }

    /// Only the names of the observed columns that changed, and no values.
    private func observation(_ observed: ObservedCapture) -> String {
        let entries = observed.columns.map { ChangesetEntry(column: $0, condition: differs([$0]), values: nil) }
        return """
            \(insert)
            SELECT \(literal(observed.modelName)), \(id(capture.primaryKey, of: "NEW")),
              \(literal(EventName(observed.singular, .updated).description)), '__outbox_observer__', NULL,
              \(Self.now), \(Self.now)\(stored(changeset(entries)))\(context)
            WHERE \(differs(observed.columns));
            """
    }
}

extension String {
    fileprivate var wrapped: String { isEmpty ? "" : "(\(self))" }
}
