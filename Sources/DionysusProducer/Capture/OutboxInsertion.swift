import Dionysus

/// Writes rows into the outbox without a trigger.
struct OutboxInsertion {
    let support: any OutboxSupport
    let dialect: any SQLDialect
    /// The outbox as it is, which another program may have made.
    let outbox: TableDescription

    /// The statement that writes rows, in their order.
    /// - Parameter origin: What has found the changes, if it wasn't the transaction that made them.
    func statement(_ rows: [RecordingPlan.Row], origin: String? = nil) -> SQL {
        let isChangesetRequired = outbox.column("changeset")?.isNullable == false
        let columns = [
            BulkColumn("resource_class", .text, rows.map { .text($0.modelName) }),
            BulkColumn("resource_id", .text, rows.map { .text($0.id) }),
            BulkColumn("event_name", .text, rows.map { .text($0.event.description) }),
            BulkColumn("topic", .text, rows.map { .text($0.topic) }),
            BulkColumn("partition_key", .text, rows.map { $0.partitionKey.databaseValue }),
            // As text, for some tables have a column of text.
            BulkColumn(
                "changeset",
                .text,
                rows.map { $0.changeset.map { .text($0.text) } ?? (isChangesetRequired ? .text("{}") : .null) }
            ),
        ]
        let hasContext = OutboxRow.contextColumns.allSatisfy { outbox.column($0) != nil }
        let context = support.traceContext
        let now = support.time(shiftedBy: 0)
        let changeset: SQL? = outbox.column("changeset").map { dialect.storing("r.changeset", in: $0) }
        return """
            INSERT INTO \(support.tables.outbox)
              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
                raw: (changeset == nil ? "" : ", changeset") + (hasContext ? ", traceparent, tracestate, origin" : "")))
            SELECT r.resource_class, r.resource_id, r.event_name, r.topic, r.partition_key, \(now), \(now)\(
                changeset.map { ", \($0)" } ?? "" as SQL)\(
                hasContext ? ", \(context.traceparent), \(context.tracestate), \(origin.databaseValue)" : "" as SQL)
            FROM \(dialect.rows(columns, alias: "r")) WHERE \(support.isCaptured)
            """
    }
}

extension SQLDialect {
    /// Text as a column of another type takes it.
    func storing(_ text: SQL, in column: ColumnDescription) -> SQL {
        column.type == .json ? "CAST(\(text) AS \(raw: column.declaredType))" : text
    }
}
