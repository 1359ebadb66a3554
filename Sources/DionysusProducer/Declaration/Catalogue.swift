import Dionysus

/// The tables of a declaration as the database has them.
struct Catalogue: Sendable {
    private var tables: [String: TableDescription] = [:]

    /// Looks up every table that a declaration names.
    static func read(for registry: Registry, from database: some Database) async throws -> Catalogue {
        let names = registry.tables
        return try await database.transaction(.snapshot) { transaction in
            var catalogue = Catalogue()
            for name in names {
                catalogue.tables[name] = try transaction.describe(table: name)
            }
            return catalogue
        }
    }

    subscript(table: String) -> TableDescription? { tables[table] }

    func primaryKeyType(of model: ModelDescription) -> DatabaseType {
        tables[model.table]?.column(model.primaryKey)?.type ?? .text
    }
}
