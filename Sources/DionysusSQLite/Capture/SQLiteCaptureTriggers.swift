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

    func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        literal(EventName(record.singular, change).description)
    }

    func text(_ column: String, of alias: String) -> String {
        SQLiteDialect.textParts.joined(separator: "\(alias).\(quoted(column))")
    }

    /// The text of a key.
    ///
    /// A row without a key, which most primary keys let in, must not make the write fail.
    func id(_ column: String, of alias: String) -> String { "coalesce(\(text(column, of: alias)), '')" }

    func partitionKey(_ topic: RecordCapture.Topic, of alias: String) -> String {
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

    var insert: String {
        """
        INSERT INTO \(quotedName(outboxName))
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
            hasChangeset ? ", changeset" : "")\(hasContext ? ", traceparent, tracestate" : ""))
        """
    }

    var context: String {
        guard hasContext else { return "" }
        return ", (SELECT traceparent FROM dionysus_transaction), (SELECT tracestate FROM dionysus_transaction)"
    }

    /// Whether the outbox has changesets: dionysus-rb's has, where its application observes anything.
    private var hasChangeset: Bool { outbox.column("changeset") != nil }

    /// The changeset, after a comma, as the outbox's column takes it: another program may have created the table.
    func stored(_ changeset: String) -> String {
        guard let column = outbox.column("changeset") else { return "" }
        return column.isNullable ? ", \(changeset)" : ", coalesce(\(changeset), '{}')"
    }

    func row(
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
}

extension String {
    fileprivate var wrapped: String { isEmpty ? "" : "(\(self))" }
}
