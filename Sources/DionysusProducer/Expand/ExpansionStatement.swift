import Dionysus

extension Outbox {
    /// Inserts one row for each record that is reached from changed ones, even if several ways lead to it.
    ///
    /// A row inherits time, trace and origin from the first change that reaches its record. The statement returns the lane
    /// of each.
    /// - Parameters:
    ///   - rows: What has changed.
    ///   - expansions: The ways to the records of one publication, at least one.
    func expand(_ rows: [OutboxRow], by expansions: [Expansion]) -> SQL {
        let publication = expansions[0].publication
        let ways = expansions.map { expansion in
            reached(expansion, from: rows.enumerated().filter { expansion.applies(to: $0.element) })
        }
        let context = hasContext ? ["traceparent", "tracestate", "origin"] : []
        let inherited = context.map { "c.\($0)" }
        return """
            INSERT INTO \(tables.outbox) (\(raw: (Self.ownColumns + context).joined(separator: ", ")))
            SELECT \(publication.model.name), affected.resource_id,
              \(EventName(publication.model.singular, .updated).description), \(publication.topic),
              affected.partition_key, \(support.storedTime("c.created_at")), \(now)\(raw: inherited.map { ", \($0)" }.joined())
            FROM (
              SELECT resource_id, partition_key, min(position) AS position
              FROM (\(ways.joined(separator: " UNION ALL "))) reached GROUP BY resource_id, partition_key
            ) affected JOIN \(causes(rows)) ON c.position = affected.position
            ORDER BY affected.position, affected.resource_id
            RETURNING \(lane(of: ""))
            """
    }

    private static let ownColumns = [
        "resource_class", "resource_id", "event_name", "topic", "partition_key", "created_at", "updated_at",
    ]

    /// What new rows inherit from.
    private func causes(_ rows: [OutboxRow]) -> SQL {
        dialect.rows(
            [
                BulkColumn("position", .integer, rows.indices.map { .integer(Int64($0)) }),
                BulkColumn("created_at", .timestamp, rows.map { ($0.createdAt ?? .now).databaseValue }),
                BulkColumn("traceparent", .text, rows.map(\.traceparent.databaseValue)),
                BulkColumn("tracestate", .text, rows.map(\.tracestate.databaseValue)),
                BulkColumn("origin", .text, rows.map(\.origin.databaseValue)),
            ],
            alias: "c"
        )
    }

    /// The records at the end of a way, with the position of the change that reaches them.
    private func reached(_ expansion: Expansion, from rows: [(offset: Int, element: OutboxRow)]) -> SQL {
        let model = expansion.publication.model
        let joins = PathJoin(expansion.pathFromValues, from: "s") { "t\($0)" }
        let end = SQL(raw: "t\(expansion.path.count)")
        let partitionKey: SQL =
            expansion.partitionKeyColumn.map { dialect.asText("\(end).\(identifier: $0)") }
            ?? expansion.partitionKeyConstant.map { dialect.asText("\($0)") } ?? "NULL"
        let visible: SQL = expansion.isVisible(end, dialect).map { " WHERE \($0)" } ?? ""
        return """
            SELECT \(dialect.asText("\(end).\(identifier: model.primaryKey)")) AS resource_id,
              \(partitionKey) AS partition_key, s.position AS position
            FROM \(start(expansion, rows))\(joins.sql)\(visible)
            """
    }

    /// The values at which a way begins: primary keys, or foreign keys as they are and as they were.
    private func start(_ expansion: Expansion, _ rows: [(offset: Int, element: OutboxRow)]) -> SQL {
        func position(_ row: (offset: Int, element: OutboxRow)) -> DatabaseValue { .integer(Int64(row.offset)) }
        let known = rows.flatMap { row in
            DatabaseValue.keys(row.element.resourceID, type: expansion.keyType, dialect).map { (position(row), $0) }
        }
        let (positions, keys) = (known.map(\.0), known.map(\.1))
        guard let foreignKey = expansion.foreignKey else {
            let columns = [BulkColumn("position", .integer, positions), BulkColumn("value", expansion.keyType, keys)]
            return dialect.rows(columns, alias: "s")
        }
        let changed = [BulkColumn("position", .integer, positions), BulkColumn("id", expansion.keyType, keys)]
        let former = rows.flatMap { row in
            row.element.values(of: foreignKey)
                .flatMap { DatabaseValue.keys($0, type: expansion.startType, dialect) }
                .map { (position: position(row), value: $0) }
        }
        let formerColumns = [
            BulkColumn("position", .integer, former.map(\.position)),
            BulkColumn("value", expansion.startType, former.map(\.value)),
        ]
        var isOfType: SQL = ""
        if let condition = expansion.path.first?.condition, condition.side == .source {
            isOfType = " WHERE d.\(identifier: condition.column) = \(condition.value)"
        }
        return """
            (
              SELECT i.position AS position, d.\(identifier: foreignKey) AS value
              FROM \(dialect.rows(changed, alias: "i"))
              JOIN \(identifier: expansion.changed.table) d ON d.\(identifier: expansion.changed.primaryKey) = i.id\(isOfType)
              UNION SELECT f.position, f.value FROM \(dialect.rows(formerColumns, alias: "f"))
            ) s
            """
    }
}
