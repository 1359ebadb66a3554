import Dionysus

/// The tables of a declaration as the database has them.
struct Catalogue: Sendable {
    private var tables: [String: TableDescription] = [:]
    /// Whether the database has a type of its own for UUIDs, and ignores their spelling.
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

extension Catalogue {
    /// Whether the database fills a column's texts with blanks, which it leaves out of account itself.
    func isPadded(_ table: String, _ column: String) -> Bool {
        // SQLite takes such a type's name for text like any other.
        guard hasUUIDs, let declared = self[table]?.column(column)?.declaredType else { return false }
        return declared == "character" || declared.hasPrefix("character(")
    }
}

extension RecordKey {
    init(of model: ModelDescription, _ catalogue: Catalogue) {
        self.init(
            type: catalogue.primaryKeyType(of: model),
            isUUID: model.isKnownByUUID,
            isPadded: catalogue.isPadded(model.table, model.primaryKey),
            isLoose: !catalogue.hasUUIDs
        )
    }

    /// The keys of those models whose records the outbox may know under several spellings, by the models' names.
    static func spelled(_ registry: Registry, _ catalogue: Catalogue) -> [String: RecordKey] {
        var keys: [String: RecordKey] = [:]
        for model in registry.models {
            let key = RecordKey(of: model, catalogue)
            if key.hasSpellings { keys[model.name] = key }
        }
        return keys
    }
}
