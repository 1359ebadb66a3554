import Dionysus

/// A record as the replica keeps it.
package struct ReplicaRow: Sendable {
    /// A column and what it holds.
    package struct Value: Sendable, Hashable {
        /// The column's name.
        package let column: String
        /// The names under which messages may have it; empty for columns that Dionysus or the application fills.
        package let attributes: [String]
        /// The value as text; nil for null.
        package let text: String?
    }

    /// The table.
    package let table: String
    /// The namespace in whose topics the model is kept there; nil for all.
    package let namespace: String?
    /// The columns, in alphabetical order.
    package let values: [Value]
    /// How recent the row is, if it says so.
    package let version: Int64?
    /// When the row was last written, as the database writes times; nil if it doesn't say so.
    package let writtenAt: String?
    /// Whether the row is kept for a record that was destroyed.
    package let isSoftDeleted: Bool
}

extension ReplicaRecords {
    /// Looks a record up in the tables that keep its model.
    /// - Parameters:
    ///   - model: The model's name on the wire.
    ///   - id: The record's id at the source, as text.
    /// - Returns: The rows, one for each table that has the record, and the names of all tables that were looked at.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` if the id can't be one of the replica's; and as for a
    ///   transaction.
    package func rows(of model: String, id: String) async throws -> (rows: [ReplicaRow], tables: [String]) {
        var (rows, tables): ([ReplicaRow], [String]) = ([], [])
        for target in try await places(of: model, id) {
            tables.append(target.table.name)
            guard let row = try await row(target) else { continue }
            rows.append(row)
        }
        return (rows, tables)
    }

    private func row(_ target: (namespace: String?, table: ReplicaTable, id: DatabaseValue)) async throws -> ReplicaRow?
    {
        let table = target.table
        let columns = table.columns.values.map(\.name).sorted()
        return try await database.transaction(.snapshot) { transaction in
            let dialect = transaction.dialect
            let texts = columns.map { dialect.asText("\(identifier: $0)") }.joined(separator: ", ")
            let version: SQL = table.version.map { "\(identifier: $0.name)" } ?? "NULL"
            let found = try transaction.run(
                """
                SELECT \(version), \(texts) FROM \(identifier: table.name)
                WHERE \(identifier: table.id.name) = \(target.id) LIMIT 1
                """
            )
            guard let row = found.first else { return nil }
            let values = try columns.enumerated()
                .map { index, name in
                    let isFilled = table.column(ofPayload: name) == nil && name != table.id.name
                    return ReplicaRow.Value(
                        column: name,
                        attributes: isFilled
                            ? table.stampAttributes(of: name)
                            : name == table.id.name ? ["id"] : table.payloadNames(of: name),
                        text: try row.text(index + 1)
                    )
                }
            let canceledAt = table.canceledAt.flatMap { column in values.first { $0.column == column.name } }
            return ReplicaRow(
                table: table.name,
                namespace: target.namespace,
                values: values,
                version: try row.integer(0),
                writtenAt: table.localUpdatedAt.flatMap { column in values.first { $0.column == column.name }?.text },
                isSoftDeleted: canceledAt?.text != nil
            )
        }
    }
}

extension ReplicaTable {
    /// The attributes of messages that a column of the record's times holds.
    fileprivate func stampAttributes(of column: String) -> [String] {
        switch column {
        case createdAt?.name: ["created_at"]
        case updatedAt?.name: ["updated_at"]
        case canceledAt?.name: ["canceled_at"]
        default: []
        }
    }
}
