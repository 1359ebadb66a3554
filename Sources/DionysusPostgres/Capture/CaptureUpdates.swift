import Dionysus

/// The rows of the outbox that an update writes, about records and about observed columns.
extension CaptureFunctions {
    /// Numbers are hashed faster than their texts, and texts are compared where the keys have become something else.
    func updateBodyByType() -> String? {
        let numbers = pairingColumns.filter { isWholeNumber(table.column($0)?.builtInType) }
        guard !numbers.isEmpty else { return nil }
        var slow = self
        slow.pairsTexts = true
        let names = numbers.map { "\(quotedLiteral($0))::pg_catalog.name" }.joined(separator: ", ")
        let domains = numbers.compactMap(table.column).filter { $0.typeNumber == nil }
        let types = ["a.atttypid IN (20, 21, 23)"] + domains.map { CapturedTable.isType($0, "a.atttypid") }
        return """
            IF \(numbers.count) = (
              SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = TG_RELID
                AND a.attname IN (\(names)) AND (\(types.joined(separator: " OR ")))
            ) THEN
            \(updateBody())
            ELSE
            \(slow.updateBody())
            END IF;
            """
    }

    func updateBody() -> String {
        var statements = capture.records.map(update)
        statements += capture.affected.map { affectedByUpdate($0) }
        if let observed = capture.observed { statements.append(observation(observed)) }
        return statements.joined(separator: "\n")
    }

    /// The key's text.
    ///
    /// A row without a key, which no primary key would let in, must not make the write fail.
    func id(_ alias: String) -> String { table.textOrEmpty(capture.primaryKey, alias) }

    /// Old and new rows side by side, joined by their primary key: what has no partner has changed its key.
    ///
    /// A full join is never carried out as a loop over the rows, however many rows the plan was made for.
    var bothRows: String {
        let isSame = pairingColumns.map { "\(paired($0, Self.new)) = \(paired($0, Self.old))" }
            .joined(separator: " AND ")
        return "\(Self.old) FULL JOIN \(Self.new) ON \(isSame)"
    }

    /// A key as it is compared.
    func paired(_ column: String, _ alias: String) -> String {
        let text = table.text(column, alias)
        return !pairsTexts && isWholeNumber(table.column(column)?.builtInType) ? "\(text)::bigint" : text
    }

    func isWholeNumber(_ type: String?) -> Bool { ["smallint", "integer", "bigint"].contains(type) }

    /// The columns that tell which old and new row are the same: a model's primary key; of a table between models the
    /// whole key that it has in the database, if any.
    var pairingColumns: [String] {
        capture.records.isEmpty && capture.observed == nil ? table.primaryKey : [capture.primaryKey]
    }

    func isMissing(_ alias: String) -> String {
        pairingColumns.first.map { "\(value($0, alias)) IS NULL" } ?? "false"
    }

    func update(_ record: RecordCapture) -> String {
        let hasOtherKey = "\(isMissing(Self.new)) OR \(isMissing(Self.old))"
        let columns = record.columns ?? table.columns.map(\.name)
        return insert(
            record,
            event: changeOfUpdate(record),
            id: "coalesce(\(table.text(capture.primaryKey, Self.new)), \(id(Self.old)))",
            from: bothRows,
            where: "\(hasOtherKey) OR \(table.differ(columns, Self.old, Self.new))\(isPublished(record))"
        ) { topic in
            (partitionKeyOfUpdate(topic), changeset(entries.ofUpdate(record, topic)))
        }
    }

    /// `coalesce` hides from the planner that an inner join would do, which it might carry out as a loop.
    var hasSameKey: String { "coalesce(NOT (\(isMissing(Self.new)) OR \(isMissing(Self.old))), false)" }

    func partitionKeyOfUpdate(_ topic: RecordCapture.Topic) -> String {
        let (old, new) = (
            partitionKey(topic, of: Self.old, in: table), partitionKey(topic, of: Self.new, in: table)
        )
        return topic.partitionKeyColumn == nil ? new : "CASE WHEN \(isMissing(Self.new)) THEN \(old) ELSE \(new) END"
    }

    /// What changes while a record is soft-deleted is not published.
    func isPublished(_ record: RecordCapture) -> String {
        guard let column = record.softDeleteColumn, !record.updatesAfterSoftDelete else { return "" }
        return " AND (\(value(column, Self.new)) IS NULL OR \(differs(column))\(isExempt(record, Self.new, in: table)))"
    }

    /// Whether a soft-deleted record is one of those whose changes are published, from `OR` on.
    func isExempt(_ record: RecordCapture, _ alias: String, in table: CapturedTable) -> String {
        guard let condition = record.updatedAfterSoftDelete, !condition.values.isEmpty else { return "" }
        let values = condition.values.map(quotedLiteral).joined(separator: ", ")
        return " OR \(table.text(condition.column, alias)) IN (\(values))"
    }

    func changeOfUpdate(_ record: RecordCapture) -> String {
        var cases = """
            CASE WHEN \(isMissing(Self.old)) THEN \(event(record, .created))
              WHEN \(isMissing(Self.new)) THEN \(event(record, .destroyed))
            """
        if let column = record.softDeleteColumn {
            let (old, new) = (value(column, Self.old), value(column, Self.new))
            cases += """

                WHEN NOT (\(new) IS NULL) AND \(differs(column)) THEN \(event(record, .destroyed))
                WHEN \(new) IS NULL AND NOT (\(old) IS NULL) THEN \(event(record, .created))
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    func differs(_ column: String) -> String { table.differ([column], Self.old, Self.new) }

    /// Only the names of the observed columns that changed, and no values.
    func observation(_ observed: ObservedCapture) -> String {
        let entries = observed.columns.map { ChangesetEntry(column: $0, condition: differs($0), values: nil) }
        return insert(
            OutboxValues(
                modelName: observed.modelName,
                id: id(Self.new),
                event: quotedLiteral(EventName(observed.singular, .updated).description),
                topic: "'__outbox_observer__'",
                partitionKey: "NULL",
                changeset: changeset(entries)
            ),
            from:
                "FROM \(bothRows) WHERE \(hasSameKey) AND \(table.differ(observed.columns, Self.old, Self.new))"
        )
    }
}
