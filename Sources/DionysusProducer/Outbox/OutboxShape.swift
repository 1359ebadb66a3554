import Dionysus

/// What an outbox must be like that another program has created.
enum OutboxShape {
    /// The columns without which there is no outbox; dionysus-rb's may lack the others.
    private static let columns =
        OutboxRow.columns.filter { $0 != "changeset" }
        + ["published_at", "failed_at", "retry_at", "error_class", "error_message", "updated_at"]

    private static let texts = ["resource_class", "resource_id", "event_name", "topic", "partition_key"]

    /// Why a table can't be the outbox, if it can't, and what to do.
    /// - Parameters:
    ///   - table: The table.
    ///   - enforcesTypes: Whether a column of the database holds values of its type only.
    static func fault(of table: TableDescription, enforcesTypes: Bool) -> String? {
        let missing = columns.filter { table.column($0) == nil }
        guard missing.isEmpty else {
            return
                "table \(table.name) is no outbox, because it lacks \(missing.joined(separator: ", ")): let the setting of the "
                + "outbox's table name another, or add the columns as dionysus-rb's migration does"
        }
        guard enforcesTypes else { return nil }
        let others = texts.compactMap { table.column($0) }.filter { [.integer, .uuid].contains($0.type) }
        guard !others.isEmpty else { return nil }
        let list = others.map { "\($0.name) is \($0.declaredType)" }.joined(separator: ", ")
        return
            "table \(table.name) can't be the outbox, since its columns must hold any text: \(list); change the type to text"
    }

    /// How many characters of an error the outbox keeps.
    static func messageLength(of table: TableDescription) -> Int {
        let most = 4_000
        guard let type = table.column("error_message")?.declaredType,
            let length = type.firstMatch(of: /\(([0-9]{1,9})\)/).flatMap({ Int($0.1) })
        else { return most }
        return min(most, length)
    }
}

/// Which table the triggers fill, as the last migration noted it.
enum OutboxPlace {
    static let note = "outbox_table"

    /// What is wrong if it isn't the one that is set, and what to do.
    static func fault(_ tables: OutboxTables, in transaction: inout Transaction) throws -> String? {
        guard let noted = try noted(tables, in: &transaction), noted != tables.name else { return nil }
        return
            "changes are captured into \(tables.path(noted)), and the outbox is set to be \(tables.path): run migrate, or "
            + "correct the setting DIONYSUS_OUTBOX_TABLE"
    }

    /// The name of the outbox that was migrated last; nil if none was.
    static func noted(_ tables: OutboxTables, in transaction: inout Transaction) throws -> String? {
        guard try transaction.describe(table: tables.path("dionysus_meta")) != nil else { return nil }
        let name = try transaction.run("SELECT value FROM \(tables.meta) WHERE name = \(note)").first?.text(0)
        return name ?? OutboxTables.standardName
    }
}
