import Dionysus

/// The tables of a declaration as the database has them.
struct Catalogue: Sendable {
    private var tables: [String: TableDescription] = [:]
    /// Whether the database has a type of its own for UUIDs, and compares them whatever their spelling.
    private(set) var hasUUIDs = true
    private(set) var dialect: (any SQLDialect)?

    /// Looks up every table that a declaration names.
    static func read(for registry: Registry, from database: some Database) async throws -> Catalogue {
        let names = registry.tables
        return try await database.transaction(.snapshot) { transaction in
            var catalogue = Catalogue()
            catalogue.hasUUIDs = transaction.dialect.hasUUIDs
            catalogue.dialect = transaction.dialect
            for name in names {
                catalogue.tables[name] = try transaction.describe(table: name)
            }
            return catalogue
        }
    }

    subscript(table: String) -> TableDescription? { tables[table] }

    func primaryKeyType(of model: ModelDescription) -> DatabaseType { keyType(model.table, model.primaryKey) }

    /// The type by which a key is compared.
    func keyType(_ table: String, _ column: String) -> DatabaseType {
        tables[table]?.column(column)?.keyType(hasUUIDs: hasUUIDs) ?? .text
    }
}

extension ColumnDescription {
    /// The type by which the column is compared as a key: where UUIDs are text, they are found as they are written.
    func keyType(hasUUIDs: Bool) -> DatabaseType { type == .uuid && !hasUUIDs ? .text : type ?? .text }
}

extension SQLDialect {
    /// Whether the database has a type for UUIDs.
    var hasUUIDs: Bool { columnType(.uuid).lowercased() == "uuid" }
}
