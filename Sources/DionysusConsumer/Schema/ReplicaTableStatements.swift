package import Dionysus

extension ReplicaTables.Table {
    /// The statements that create the table, with its indexes.
    /// - Parameter dialect: The database's dialect.
    package func creation(_ dialect: any SQLDialect) -> [String] {
        let lines =
            ["id \(dialect.columnType(.identity))"] + columns.map { $0.definition(dialect) }
            + localTimes.map { "\(dialect.quoted($0)) \(dialect.columnType(.timestamp))" }
        let table = "CREATE TABLE \(dialect.quoted(name)) (\n  \(lines.joined(separator: ",\n  "))\n)"
        return [table] + columns.filter { $0.role == .reference }.map { indexCreation(on: $0.name, dialect) }
    }

    /// The statements that add a column to the table.
    /// - Parameters:
    ///   - column: One of the table's columns.
    ///   - dialect: The database's dialect.
    package func addition(of column: ReplicaTables.Column, _ dialect: any SQLDialect) -> [String] {
        let type = dialect.columnType(column.type)
        let statement = "ALTER TABLE \(dialect.quoted(name)) ADD COLUMN \(dialect.quoted(column.name)) \(type)"
        return [statement] + (column.role == .reference ? [indexCreation(on: column.name, dialect)] : [])
    }

    private func indexCreation(on column: String, _ dialect: any SQLDialect) -> String {
        "CREATE INDEX \(dialect.quoted(indexName(of: column))) ON \(dialect.quoted(name)) (\(dialect.quoted(column)))"
    }

    /// Databases cut names off after 63 bytes, so that two might become one.
    private func indexName(of column: String) -> String {
        let name = "\(name)_\(column)"
        guard name.utf8.count > 63 else { return name }
        let digits = String(CRC32.checksum(Array(name.utf8)), radix: 16)
        return "replica_index_\(digits)"
    }
}

extension ReplicaTables.Column {
    fileprivate func definition(_ dialect: any SQLDialect) -> String {
        "\(dialect.quoted(name)) \(dialect.columnType(type))\(role == .id ? " NOT NULL UNIQUE" : "")"
    }
}
