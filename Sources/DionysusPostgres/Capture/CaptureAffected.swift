import Dionysus

/// The rows of the outbox about records elsewhere that a change affects.
extension CaptureFunctions {
    func texts(_ columns: [String], of alias: String) -> String {
        columns.map { "\(table.text($0, alias)) AS \(quotedName($0))" }.joined(separator: ", ")
    }

    func values(_ columns: [String], of alias: String) -> String {
        columns.map { table.text($0, alias) }.joined(separator: ", ")
    }

    /// Both the rows as they were and as they are, so that what they left is published too.
    func affectedByUpdate(_ affected: AffectedCapture) -> String {
        let compared = affected.columns ?? table.columns.map(\.name)
        return self.affected(affected) { columns in
            guard !pairingColumns.isEmpty else {
                return """
                    SELECT \(texts(columns, of: Self.old)) FROM \(Self.old)
                    UNION SELECT \(texts(columns, of: Self.new)) FROM \(Self.new)
                    """
            }
            let names = columns.map(quotedName)
            return """
                SELECT DISTINCT \(names.map { "dionysus_side.\($0)" }.joined(separator: ", ")) FROM \(bothRows)
                CROSS JOIN LATERAL (
                  VALUES (\(values(columns, of: Self.old))), (\(values(columns, of: Self.new)))
                ) AS dionysus_side (\(names.joined(separator: ", ")))
                WHERE \(isMissing(Self.new)) OR \(isMissing(Self.old)) OR \(table.differ(compared, Self.old, Self.new))
                """
        }
    }

    /// - Parameter changed: The values that lead away from changed rows, as texts: a query for these columns.
    func affected(_ affected: AffectedCapture, changed: ([String]) -> String) -> String {
        let record = affected.record
        let end = "dionysus_t\(affected.path.count)"
        guard let first = affected.path.first, let endTable = affected.path.last.flatMap({ tables[$0.otherTable] }),
            !record.topics.isEmpty
        else { return "" }
        let joins = PathJoin(affected.path, from: Self.changed) { "dionysus_t\($0)" }.steps.map(join)
        let isVisible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete
                ? "" : "WHERE \(value(column, end)) IS NULL\(isExempt(record, end, in: endTable))"
        }
        let keys = record.topics.map { partitionKey($0, of: end, in: endTable) }
        // The partition keys are the record's own, so that they don't multiply the records.
        let names = keys.indices.map { "key\($0)" }
        let selected =
            ["\(endTable.textOrEmpty(record.primaryKey, end)) AS id"]
            + zip(keys, names).map { "\($0) AS \($1)" }
        let topics = zip(record.topics, names).map { ($0.0.name, $0.1) }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: "dionysus_affected.id",
                event: event(record, .updated),
                topic: "dionysus_topic.name",
                partitionKey: "dionysus_topic.partition_key",
                changeset: "NULL::jsonb"
            ),
            from: """
                FROM (
                  SELECT DISTINCT \(selected.joined(separator: ", "))
                  FROM (\(changed(first.sourceColumns))) dionysus_changed \(joins.joined(separator: "\n")) \(isVisible ?? "")
                ) dionysus_affected CROSS JOIN LATERAL (
                  VALUES \(topics.map { "(\(quotedLiteral($0)), dionysus_affected.\($1))" }.joined(separator: ", "))
                ) AS dionysus_topic (name, partition_key)
                """
        )
    }

    /// One step of a path.
    ///
    /// What leads away from changed rows is text, and read as the type of the column that it meets: as the widest of its
    /// kind, since a value that the column couldn't hold leads to no row.
    func join(_ step: PathJoin.Step) -> String {
        guard let other = tables[step.hop.otherTable] else { return "" }
        let type = other.column(step.hop.otherColumn)?.builtInType ?? "text"
        let widest = isWholeNumber(type) ? "bigint" : CapturedTable.withoutModifier(type)
        let key = value(step.hop.column, step.source) + (step.source == Self.changed ? "::\(widest)" : "")
        return step.text(table: "\(other.name) AS", key: key, quoted: quotedName, literal: quotedLiteral)
    }
}
