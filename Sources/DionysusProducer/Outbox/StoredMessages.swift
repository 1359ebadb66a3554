import Dionysus

/// The statements on messages that are no model's.
extension OutboxTables {
    var messages: SQL { beside(StoredMessage.table) }
}

/// The table of messages that are no model's.
enum StoredMessageSchema {
    static func creation(_ tables: OutboxTables, _ dialect: any SQLDialect) -> [SQL] {
        let type = { SQL(raw: dialect.columnType($0)) }
        return [
            """
            CREATE TABLE IF NOT EXISTS \(tables.messages) (
              id \(type(.text)) PRIMARY KEY, topic \(type(.text)) NOT NULL, message_key \(type(.bytes)),
              message_value \(type(.bytes)), headers \(type(.text)) NOT NULL, created_at \(type(.timestamp)) NOT NULL)
            """
        ]
    }

    static func removal(_ tables: OutboxTables) -> [SQL] { ["DROP TABLE IF EXISTS \(tables.messages)"] }
}

extension Outbox {
    /// The messages that unpublished rows are about, if they are about any.
    func messages(ofRows ids: [Int64], in transaction: inout Transaction) throws -> [String] {
        guard hasChangeset else { return [] }
        let found = try transaction.run(
            """
            SELECT changeset FROM \(tables.outbox) WHERE \(isAny(ids)) AND published_at IS NULL
              AND resource_class = \(StoredMessage.className)
            """
        )
        return try found.rows.compactMap { row in
            let changeset = try JSON(parsing: Array((try row.text(0) ?? "null").utf8))
            guard case .string(let id)? = changeset["message"] else { return nil }
            return id
        }
    }

    /// Forgets messages that have been sent, or that nobody wants to send any more.
    func removal(ofMessages ids: [String]) -> SQL {
        "DELETE FROM \(tables.messages) WHERE \(dialect.isAnyKey("id", of: ids.map { .text($0) }, type: .text))"
    }
}
