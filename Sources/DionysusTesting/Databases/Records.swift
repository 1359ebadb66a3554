public import Dionysus
import DionysusConsumer

extension Transaction {
    /// Inserts a record into its model's table.
    /// - Parameter record: The record, with its primary key.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if there is no such table or column, `typeMismatch` for a value
    ///   that its column can't hold, and as for a statement.
    public mutating func insert<Record: Model>(_ record: Record) throws {
        let values = try values(of: record)
        let columns = values.map { "\(identifier: $0.column)" as SQL }.joined(separator: ", ")
        let row = values.map { "\($0.value)" as SQL }.joined(separator: ", ")
        try run("INSERT INTO \(identifier: Record.tableName) (\(columns)) VALUES (\(row))")
    }

    /// Updates all attributes of an existing record.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if there is no such table or record, and as for
    ///   ``insert(_:)``.
    public mutating func update<Record: Model>(_ record: Record) throws {
        let values = try values(of: record)
        guard let key = values.first(where: { $0.column == Record.primaryKey }) else { throw noKey(Record.self) }
        let assignments = values.filter { $0.column != key.column }
            .map { "\(identifier: $0.column) = \($0.value)" as SQL }.joined(separator: ", ")
        let result = try run(
            """
            UPDATE \(identifier: Record.tableName) SET \(assignments)
            WHERE \(identifier: key.column) = \(key.value)
            """
        )
        guard result.affectedRows == 1 else { throw noRecord(Record.self) }
    }

    /// Deletes a record.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if there is no such table or record, and as for a statement.
    public mutating func delete<Record: Model>(_ record: Record) throws {
        guard let key = try values(of: record).first(where: { $0.column == Record.primaryKey }) else {
            throw noKey(Record.self)
        }
        let result = try run(
            "DELETE FROM \(identifier: Record.tableName) WHERE \(identifier: key.column) = \(key.value)"
        )
        guard result.affectedRows == 1 else { throw noRecord(Record.self) }
    }

    /// The columns of a record's row that its type names.
    private mutating func values<Record: Model>(of record: Record) throws -> [(column: String, value: DatabaseValue)] {
        let table = try existing(Record.tableName)
        guard case .object(let object) = try JSONTreeEncoder().encode(record: record) else { return [] }
        return try object.members.map { member in
            guard let column = table.column(member.name) else {
                throw DionysusError(
                    .notFound,
                    "table \(table.name) has no column \(member.name), which \(Record.modelName) names",
                    advice: "create it in the closure that creates the tables"
                )
            }
            return (member.name, try column.value(for: member.value))
        }
    }

    private func noKey(_ model: any Model.Type) -> DionysusError {
        DionysusError(
            .declaration,
            "model \(model.modelName) has no attribute \(model.primaryKey), its primary key",
            advice: "add it to the coding keys"
        )
    }

    private func noRecord(_ model: any Model.Type) -> DionysusError {
        DionysusError(
            .notFound,
            "table \(model.tableName) has no row of this record",
            advice: "insert the record first"
        )
    }
}
