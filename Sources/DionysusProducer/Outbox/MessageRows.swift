import Dionysus

/// Messages that are no model's, and the rows of the outbox by which they are sent.
struct MessageRows {
    struct Row {
        let id: String
        /// What has the same goes out in order.
        let orderKey: String
        let partitionKey: String?
        let key: [UInt8]?
        let value: [UInt8]?
        let headers: [MessageHeader]
    }

    let rows: [Row]
    let topic: String
    let support: any OutboxSupport
    let dialect: any SQLDialect

    init(_ rows: [Row], topic: String, support: any OutboxSupport, dialect: any SQLDialect) {
        self.rows = rows
        self.topic = topic
        self.support = support
        self.dialect = dialect
    }

    /// The statements that write them.
    func insertion(into outbox: TableDescription) -> [SQL] { [storing, recording(outbox)] }

    private var storing: SQL {
        let columns = [
            BulkColumn("id", .text, rows.map { .text($0.id) }),
            BulkColumn("message_key", .bytes, rows.map { $0.key.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("message_value", .bytes, rows.map { $0.value.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("headers", .text, rows.map { .text(StoredMessage.text(of: $0.headers)) }),
        ]
        return """
            INSERT INTO \(support.tables.messages) (id, topic, message_key, message_value, headers, created_at)
            SELECT r.id, \(topic), r.message_key, r.message_value, r.headers, \(support.time(shiftedBy: 0))
            FROM \(dialect.rows(columns, alias: "r"))
            """
    }

    private func recording(_ outbox: TableDescription) -> SQL {
        let columns = [
            BulkColumn("resource_id", .text, rows.map { .text($0.orderKey) }),
            BulkColumn("partition_key", .text, rows.map { $0.partitionKey.databaseValue }),
            BulkColumn("changeset", .text, rows.map { .text(JSON.object(["message": .string($0.id)]).text) }),
        ]
        let hasContext = OutboxRow.contextColumns.allSatisfy { outbox.column($0) != nil }
        let (context, now) = (support.traceContext, support.time(shiftedBy: 0))
        let changeset = outbox.column("changeset").map { dialect.storing("r.changeset", in: $0) } ?? "NULL"
        return """
            INSERT INTO \(support.tables.outbox)
              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at, changeset\(
                raw: hasContext ? ", traceparent, tracestate" : ""))
            SELECT \(StoredMessage.className), r.resource_id, \(StoredMessage.event.description), \(topic), r.partition_key,
              \(now), \(now), \(changeset)\(
                hasContext ? ", \(context.traceparent), \(context.tracestate)" : "" as SQL)
            FROM \(dialect.rows(columns, alias: "r"))
            """
    }
}
