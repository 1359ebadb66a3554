import Dionysus
import Logging
import Synchronization

/// Finds the tables of remote models and caches them.
final class ReplicaCatalogue: Sendable {
    private let database: any Database
    private let factory: ModelFactory
    private let columns: ReplicaColumnNames
    private let inflection: Inflection
    /// Logs what is left out of messages; nil where none are read.
    private let logger: Logger?
    /// How models are kept, by their names in each scope.
    private let found = Mutex<[Key: Replica]>([:])
    /// The tables that models were kept in when they were first found, which must not go away silently.
    private let kept = Mutex<[Key: ReplicaTable]>([:])
    /// Models that are not kept, and when that was found: a table may be made later.
    private let absent = Mutex<[Key: ContinuousClock.Instant]>([:])
    private let hasToldImplausible = Mutex(false)
    private let foundJoinTables = Mutex<[String: TableDescription]>([:])
    /// The tables of members that no message has named; nil for names that are no model's.
    private let foundParts = Mutex<[Key: ReplicaTable?]>([:])

    private struct Key: Hashable {
        /// The namespace, if models are kept there in its own way.
        let scope: String?
        let model: String
    }

    /// How long it is believed that a model is not kept.
    private static let lookInterval = Duration.seconds(10)

    private enum Replica: Sendable {
        case table(ReplicaTable)
        case own(RecordHandler)
    }

    init(database: any Database, factory: ModelFactory, settings: ConsumerSettings, logger: Logger?) {
        self.database = database
        self.factory = factory
        self.logger = logger
        columns = settings.columns
        inflection = settings.inflection
    }

    /// How models are kept, without those that aren't.
    /// - Parameters:
    ///   - models: The models' names on the wire.
    ///   - namespace: The namespace of the topic that they come from.
    /// - Throws: What the database throws; ``DionysusError`` with code `declaration` for a chosen table that can't keep a
    ///   model.
    func replicas(of models: Set<String>, in namespace: String?) async throws -> Replicas {
        let scope = factory.scope(of: namespace)
        let known = try await find(models, scope)
        var replicas = Replicas()
        for model in models {
            switch known[model] {
            case .table(let table)?: replicas.tables[model] = table
            case .own(let handler)?: replicas.handlers[model] = handler
            case nil: continue
            }
        }
        replicas.joinTables = try await joinTables(of: replicas.tables)
        return replicas
    }

    /// Adds what is kept of records that belong to others, because these may be destroyed.
    /// - Parameters:
    ///   - parents: The models of the others.
    ///   - replicas: How the models are kept.
    ///   - namespace: The namespace of the topic.
    ///   - accepts: Whether the topic may write a model.
    /// - Throws: What the database throws.
    func addParts(
        of parents: Set<String>,
        to replicas: inout Replicas,
        in namespace: String?,
        accepts: (String) -> Bool
    ) async throws {
        let scope = factory.scope(of: namespace)
        for parent in parents.sorted() {
            for (relationship, policy) in replicas.tables[parent]?.declaration.associations ?? [:] {
                guard case .replace = policy else { continue }
                let names = [inflection.singular(of: relationship), relationship].map(Inflection.camelized)
                for model in names where accepts(model) {
                    guard let table = try await part(model, scope, replicas) else { continue }
                    replicas.tables[model] = table
                    replicas.parts[parent, default: [:]][relationship] = model
                    break
                }
            }
        }
    }

    private func part(_ model: String, _ scope: String?, _ replicas: Replicas) async throws -> ReplicaTable? {
        if let table = replicas.tables[model] { return table }
        let key = Key(scope: scope, model: model)
        if let known = foundParts.withLock({ $0[key] }) { return known }
        guard let declaration = factory.replica(of: model, in: scope), declaration.customStorage == nil else {
            return nil
        }
        var found: ReplicaTable?
        if case .table(let table)? = try await tables(of: [declaration])[model] { found = table }
        foundParts.withLock { $0[key] = .some(found) }
        return found
    }

    /// The tables of models in topics of no particular namespace, without those that are not kept.
    /// - Throws: What the database throws.
    func tables(of models: Set<String>) async throws -> [String: ReplicaTable] {
        try await replicas(of: models, in: nil).tables
    }

    /// How models are kept, after a look for those that have not been looked for yet.
    ///
    /// Another task may have forgotten everything meanwhile, so the answer is not read from what is kept.
    private func find(_ models: Set<String>, _ scope: String?) async throws -> [String: Replica] {
        let known = found.withLock { found in
            models.reduce(into: [String: Replica]()) { $0[$1] = found[Key(scope: scope, model: $1)] }
        }
        let unknown = models.filter { known[$0] == nil && !isAbsent(Key(scope: scope, model: $0)) }.sorted()
        guard !unknown.isEmpty else { return known }
        let declarations = unknown.compactMap { factory.replica(of: $0, in: scope) }
        var replicas = try await tables(of: declarations.filter { $0.customStorage == nil })
        for declaration in declarations {
            if let handler = declaration.customStorage { replicas[declaration.remoteName] = .own(handler) }
            let isKept = kept.withLock { $0[Key(scope: scope, model: declaration.remoteName)] != nil }
            guard replicas[declaration.remoteName] == nil, !declaration.isConventional, !isKept else { continue }
            throw DionysusError(
                .declaration,
                "the replica of \(declaration.remoteName) is no table with a column \(declaration.columnNames(columns).id)",
                advice: "create the table or change the declaration"
            )
        }
        for model in unknown {
            let (key, replica) = (Key(scope: scope, model: model), replicas[model])
            try compare(replica, key)
            if replica == nil, !ModelFactory.isPlausible(model) {
                noteImplausible(model)
            } else if replica == nil {
                note(absenceOf: key, table: declarations.first { $0.remoteName == model }?.table)
            } else if absent.withLock({ $0.removeValue(forKey: key) }) != nil {
                logger?
                    .warning(
                        """
                        the model \(model) is kept from now on. What came before was left out: reset its topic, or publish it \
                        again
                        """
                    )
            }
        }
        found.withLock { found in
            // Names come from messages; an endless number of them must not fill the memory.
            if found.count > 10_000 { found.removeAll() }
            for (model, replica) in replicas { found[Key(scope: scope, model: model)] = replica }
        }
        return known.merging(replicas) { $1 }
    }

    /// Whether a model was not kept a short while ago; after that it is looked for again.
    private func isAbsent(_ key: Key) -> Bool {
        guard let since = absent.withLock({ $0[key] }) else { return false }
        return ContinuousClock.now - since <= Self.lookInterval
    }

    /// - Parameter table: The table that would keep the model; nil if the application wants none.
    private func note(absenceOf key: Key, table: String?) {
        let isNew = absent.withLock { absent in
            if absent.count > 10_000 { absent.removeAll() }
            return absent.updateValue(.now, forKey: key) == nil
        }
        guard isNew else { return }
        guard let table else {
            if !factory.ignores(key.model, in: key.scope) {
                logger?.info("events of the model \(key.model) are skipped: it is not kept here")
            }
            return
        }
        logger?
            .warning(
                """
                events of the model \(key.model) are left out: there is no table \(table) with a column for its ids. Create it, \
                or declare Ignore("\(key.model)")
                """
            )
    }

    /// Logs once that there are models without plausible names, and not each name: there may be endless ones.
    private func noteImplausible(_ model: String) {
        let isNew = hasToldImplausible.withLock { told in
            defer { told = true }
            return !told
        }
        guard isNew else { return }
        logger?
            .warning(
                "events of models whose names are empty, too long or unreadable are left out: \(model.inMessage), for instance"
            )
    }

    /// Makes sure that what was kept still is: a table may be renamed for a moment, or a column dropped too early.
    private func compare(_ replica: Replica?, _ key: Key) throws {
        guard let old = kept.withLock({ $0[key] }) else {
            if case .table(let table)? = replica { kept.withLock { $0[key] = table } }
            return
        }
        guard case .table(let table)? = replica, table.name == old.name else {
            throw Self.gone("table \(old.name)", of: key.model)
        }
        for name in old.columns.keys.sorted() where table.columns[name] == nil {
            throw Self.gone("column \(name) of table \(old.name)", of: key.model)
        }
        kept.withLock { $0[key] = table }
    }

    private static func gone(_ what: String, of model: String) -> DionysusError {
        DionysusError(
            .replicaUnavailable,
            "the replica of \(model) can't be written: \(what) is gone",
            advice: "restore it, or start the consumer again if it is to go"
        )
    }

    /// A table that is there but can't keep records is no reason to leave them out.
    private static func unfit(_ what: String, for model: String) -> DionysusError {
        DionysusError(
            .replicaUnavailable,
            "the replica of \(model) can't be written: \(what)",
            advice:
                "add it, or declare Ignore(\"\(model)\") and start the consumer again if the table is none of a replica"
        )
    }

    private func tables(of declarations: [ReplicaModel]) async throws -> [String: Replica] {
        guard !declarations.isEmpty else { return [:] }
        return try await database.transaction(.snapshot) { [columns] transaction in
            var tables: [String: Replica] = [:]
            for declaration in declarations {
                guard let name = declaration.table, let description = try transaction.describe(table: name) else {
                    continue
                }
                let id = declaration.columnNames(columns).id
                guard let table = ReplicaTable(declaration, description, names: columns) else {
                    throw Self.unfit("table \(name) has no column \(id)", for: declaration.remoteName)
                }
                guard description.uniqueKeys.contains([id]) else {
                    throw Self.unfit("table \(name) has no unique key on \(id)", for: declaration.remoteName)
                }
                tables[declaration.remoteName] = .table(table)
            }
            return tables
        }
    }

    /// Forgets what was found, so that it is looked up again.
    ///
    /// What isn't kept is looked for again after a while in any case: to look at once for every name that messages make up
    /// would cost more than the messages themselves.
    func forget() {
        found.withLock { $0.removeAll() }
        foundJoinTables.withLock { $0.removeAll() }
        foundParts.withLock { $0.removeAll() }
    }

    /// The join tables of replicas' associations.
    private func joinTables(of tables: [String: ReplicaTable]) async throws -> [String: TableDescription] {
        let names = Set(tables.values.flatMap(\.joinTables))
        let known = foundJoinTables.withLock { $0 }
        let unknown = names.filter { known[$0] == nil }.sorted()
        guard !unknown.isEmpty else { return known }
        let descriptions = try await database.transaction(.snapshot) { transaction in
            try unknown.compactMap { try transaction.describe(table: $0) }
        }
        let new = Dictionary(descriptions.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        foundJoinTables.withLock { $0.merge(new) { $1 } }
        return known.merging(new) { $1 }
    }
}

/// How the models of a batch are kept.
struct Replicas: Sendable {
    /// The tables by the models' names.
    var tables: [String: ReplicaTable] = [:]
    /// The join tables of their associations by their names.
    var joinTables: [String: TableDescription] = [:]
    /// The closures that take all events of a model, by the models' names.
    var handlers: [String: RecordHandler] = [:]
    /// The models that the topic may not write.
    var refused: Set<String> = []
    /// The models of members that are replaced, by their parents' models and by the relationships' names; looked up for
    /// parents that are destroyed.
    var parts: [String: [String: String]] = [:]
}
