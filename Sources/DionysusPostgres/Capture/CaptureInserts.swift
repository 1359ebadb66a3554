import Dionysus

/// The rows of the outbox that trigger functions write: those of inserted and deleted records, and what all rows have.
extension CaptureFunctions {
    /// What one row in the outbox has.
    struct OutboxValues {
        var modelName: String
        var id: String
        var event: String
        var topic: String
        var partitionKey: String
        var changeset: String
    }

    func insert(_ values: OutboxValues, from: String) -> String {
        """
        INSERT INTO \(outbox.name)
          /* If a column is missing here, it was renamed or dropped: run the application's migrate, or bring it back. */
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
            outbox.hasChangeset ? ", changeset" : "")\(outbox.hasContext ? ", traceparent, tracestate" : ""))
        SELECT \(quotedLiteral(values.modelName)), \(values.id), \(values.event), \(values.topic), \(values.partitionKey),
          dionysus_now, dionysus_now\(outbox.hasChangeset ? ", \(outbox.stored(values.changeset))" : "")\(
            outbox.hasContext ? ", dionysus_traceparent, dionysus_tracestate" : "")
        \(from);
        """
    }

    /// One insert for all topics of a model.
    /// - Parameters:
    ///   - event: The name of the event.
    ///   - source: The rows of the model's table, after `FROM`.
    ///   - condition: Which of them.
    ///   - values: The partition key and the changeset for a topic.
    func insert(
        _ record: RecordCapture,
        event: String,
        id: String,
        from source: String,
        where condition: String? = nil,
        values: (RecordCapture.Topic) -> (partitionKey: String, changeset: String)
    ) -> String {
        let filter = condition.map { "\nWHERE \($0)" } ?? ""
        if record.topics.count == 1, let topic = record.topics.first {
            let (partitionKey, changeset) = values(topic)
            return insert(
                OutboxValues(
                    modelName: record.modelName,
                    id: id,
                    event: event,
                    topic: quotedLiteral(topic.name),
                    partitionKey: partitionKey,
                    changeset: changeset
                ),
                from: "FROM \(source)\(filter)"
            )
        }
        let topics = record.topics.map { topic in
            let (partitionKey, changeset) = values(topic)
            return "(\(quotedLiteral(topic.name)), \(partitionKey), \(changeset))"
        }
        guard !topics.isEmpty else { return "" }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: id,
                event: event,
                topic: "dionysus_topic.name",
                partitionKey: "dionysus_topic.partition_key",
                changeset: "dionysus_topic.changeset"
            ),
            from: """
                FROM \(source)
                CROSS JOIN LATERAL (VALUES \(topics.joined(separator: ", ")))
                  AS dionysus_topic (name, partition_key, changeset)\(filter)
                """
        )
    }

    func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        quotedLiteral(EventName(record.singular, change).description)
    }

    func partitionKey(_ topic: RecordCapture.Topic, of alias: String, in table: CapturedTable) -> String {
        switch topic.partitionKey {
        case .none: "NULL::pg_catalog.text"
        case .column(let column): table.text(column, alias)
        case .constant(let text): "\(quotedLiteral(text))::pg_catalog.text"
        }
    }

    func value(_ column: String, _ alias: String) -> String { CapturedTable.value(column, alias) }

    /// The rows of inserted records, a statement for each model.
    var inserts: [String] {
        capture.records.map { record in
            insert(record, event: event(record, .created), id: id(Self.new), from: Self.new) { topic in
                (partitionKey(topic, of: Self.new, in: table), changeset(entries.ofInsert(record)))
            }
        }
    }

    func insertBody() -> String {
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(texts(columns, of: Self.new)) FROM \(Self.new)"
            }
        }
        return (inserts + others).joined(separator: "\n")
    }

    /// The rows of deleted records, a statement for each model.
    var deletions: [String] {
        capture.records.map { record in
            insert(record, event: event(record, .destroyed), id: id(Self.old), from: Self.old) { topic in
                (partitionKey(topic, of: Self.old, in: table), changeset(entries.ofDelete(record)))
            }
        }
    }

    func deleteBody() -> String {
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(texts(columns, of: Self.old)) FROM \(Self.old)"
            }
        }
        return (deletions + others).joined(separator: "\n")
    }

    // MARK: Changesets

    func changeset(_ entries: [ChangesetEntry]) -> String {
        let columns = entries.reduce(into: [String]()) { if !$0.contains($1.column) { $0.append($1.column) } }
        let cases = columns.map { column in
            entries.filter { $0.column == column }
                .map { entry in
                    let value =
                        entry.values.map { "pg_catalog.jsonb_build_array(\($0.old), \($0.new))" } ?? "NULL::jsonb"
                    return "WHEN \(entry.condition) THEN "
                        + "pg_catalog.jsonb_build_object(\(quotedLiteral(column))::text, \(value))"
                }
                .joined(separator: "\n ")
        }
        switch cases.count {
        case 0: return "NULL::pg_catalog.jsonb"
        case 1: return "CASE \(cases[0]) END"
        default:
            let members = cases.map { "CASE \($0) ELSE '{}'::jsonb END" }
            return "nullif(\(members.joined(separator: "\n || ")), '{}'::jsonb)"
        }
    }

    var entries: ChangesetEntries {
        ChangesetEntries(
            columns: table.columns.map(\.name),
            old: Self.old,
            new: Self.new,
            always: "true",
            isSameRecord: hasSameKey,
            isGone: isMissing(Self.new),
            quoted: quotedName,
            value: table.document,
            differs: differs
        )
    }

    /// The columns of this table whose texts are written.
    var writtenColumns: [String] {
        var columns = [capture.primaryKey]
        for record in capture.records {
            columns += record.topics.compactMap(\.partitionKeyColumn) + record.keptColumns
            if record.changeset == .values { columns += record.columns ?? table.columns.map(\.name) }
        }
        for affected in capture.affected { columns += affected.path.first?.sourceColumns ?? [] }
        return columns
    }

    var textDependsOnSettings: Bool {
        if writtenColumns.contains(where: table.textDependsOnSettings) { return true }
        return capture.affected.contains { affected in
            guard let end = affected.path.last.flatMap({ tables[$0.otherTable] }) else { return false }
            let columns = [affected.record.primaryKey] + affected.record.topics.compactMap(\.partitionKeyColumn)
            return columns.contains(where: end.textDependsOnSettings)
        }
    }
}
