import Dionysus

/// The statements of which the bodies of the triggers are made.
extension SQLiteCaptureTriggers {
    func insertBody() -> String {
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

    func deleteBody(of alias: String, from: String) -> String {
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

    func updateBody() -> String {
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
