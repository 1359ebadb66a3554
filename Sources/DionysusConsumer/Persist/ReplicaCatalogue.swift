import Dionysus
import Logging
import Synchronization

/// Finds the tables of remote models, and keeps what it has found.
final class ReplicaCatalogue: Sendable {
    private let database: any Database
    private let declared: [String: ReplicaModel]
    private let naming: Naming
    private let logger: Logger
    /// The tables by the models' names; nil for models that are not kept.
    private let found = Mutex<[String: ReplicaTable?]>([:])
    private let foundJoinTables = Mutex<[String: TableDescription]>([:])

    init(database: any Database, models: [ReplicaModel], settings: ConsumerSettings, logger: Logger) {
        self.database = database
        self.logger = logger
        declared = Dictionary(models.map { ($0.remoteName, $0) }, uniquingKeysWith: { $1 })
        naming = Naming(settings)
    }

    /// The tables of models, without those that are not kept.
    /// - Throws: What the database throws.
    func tables(of models: Set<String>) async throws -> [String: ReplicaTable] {
        let known = found.withLock { $0 }
        // What can't be the name of a type is not kept either: it comes from anywhere and is of any length.
        let unknown = models.filter { known[$0] == nil && (declared[$0] != nil || Self.isTypeName($0)) }
        guard !unknown.isEmpty else { return select(models, from: known) }
        let declarations = unknown.sorted().compactMap { declaration(of: $0) }
        let columns = naming.columns
        let tables = try await database.transaction(.snapshot) { transaction in
            var tables: [String: ReplicaTable] = [:]
            for declaration in declarations {
                guard let name = declaration.table, let description = try transaction.describe(table: name) else {
                    continue
                }
                tables[declaration.remoteName] = ReplicaTable(declaration, description, names: columns)
            }
            return tables
        }
        for model in unknown.sorted() where tables[model] == nil && declared[model]?.table != nil {
            throw DionysusError(
                .declaration,
                "the replica of \(model) is no table with a column \(columns.id)",
                advice: "create the table or change the declaration"
            )
        }
        for model in unknown.sorted() where tables[model] == nil {
            logger.info("events of the model \(model) are skipped: it has no replica here")
        }
        return found.withLock { found in
            // Names come from messages; an endless number of them must not fill the memory.
            if found.count > 10_000 { found.removeAll() }
            for model in unknown { found[model] = .some(tables[model]) }
            return select(models, from: found)
        }
    }

    /// Forgets what was found, so that it is looked up again.
    func forget() {
        found.withLock { $0.removeAll() }
        foundJoinTables.withLock { $0.removeAll() }
    }

    /// The join tables of replicas' associations.
    /// - Throws: What the database throws.
    func joinTables(of tables: [String: ReplicaTable]) async throws -> [String: TableDescription] {
        let names = Set(tables.values.flatMap(\.joinTables))
        let known = foundJoinTables.withLock { $0 }
        let unknown = names.filter { known[$0] == nil }.sorted()
        guard !unknown.isEmpty else { return known }
        let descriptions = try await database.transaction(.snapshot) { transaction in
            try unknown.compactMap { try transaction.describe(table: $0) }
        }
        return foundJoinTables.withLock { found in
            for description in descriptions { found[description.name] = description }
            return found
        }
    }

    private func select(_ models: Set<String>, from found: [String: ReplicaTable?]) -> [String: ReplicaTable] {
        var tables: [String: ReplicaTable] = [:]
        for model in models {
            if let table = found[model] ?? nil { tables[model] = table }
        }
        return tables
    }

    private func declaration(of model: String) -> ReplicaModel? {
        if let declaration = declared[model] { return declaration }
        let table = naming.inflection.plural(of: Inflection.underscored(model))
        return ReplicaModel(remoteName: model, table: table)
    }

    /// Names from messages reach the catalogue of the database only if they can be the name of a type.
    private static func isTypeName(_ model: String) -> Bool {
        guard (1...128).contains(model.utf8.count) else { return false }
        return model.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
        }
    }
}
