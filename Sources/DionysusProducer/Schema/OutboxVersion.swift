import Dionysus

/// Which version made the outbox's tables, as the last migration noted it.
enum OutboxVersion {
    /// The number of what ``OutboxSupport/creation()`` makes: it is raised with every change of that.
    private static let current = "5"
    private static let note = "schema_version"

    /// Notes that this version made them.
    static func noting(_ tables: OutboxTables) -> [SQL] {
        [
            "DELETE FROM \(tables.meta) WHERE name = \(note)",
            "INSERT INTO \(tables.meta) (name, value) VALUES (\(note), \(current))",
        ]
    }

    /// Whether this version made them.
    static func isThis(_ tables: OutboxTables, in transaction: inout Transaction) throws -> Bool {
        try noted(tables, in: &transaction) == current
    }

    /// What is wrong if an earlier version made them, and what to do.
    ///
    /// A relay would look for rows in an index that isn't there.
    static func fault(_ tables: OutboxTables, in transaction: inout Transaction) throws -> String? {
        let noted = try noted(tables, in: &transaction)
        guard (noted.flatMap { Int($0) } ?? 0) < (Int(current) ?? 0) else { return nil }
        return "an earlier version of Dionysus made the tables of the outbox \(tables.path): run migrate"
    }

    private static func noted(_ tables: OutboxTables, in transaction: inout Transaction) throws -> String? {
        try transaction.run("SELECT value FROM \(tables.meta) WHERE name = \(note)").first?.text(0)
    }
}
