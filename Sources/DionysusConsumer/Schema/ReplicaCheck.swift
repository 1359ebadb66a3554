import Dionysus

/// Compares the declared replicas with their tables.
struct ReplicaCheck: Sendable {
    private let factory: ModelFactory
    private let topics: [ConsumerTopic]
    private let settings: ConsumerSettings

    init(_ consumer: some Consumer, settings: ConsumerSettings) {
        factory = ModelFactory(consumer, inflection: settings.inflection)
        topics = TopicPlan(consumer, settings: settings).all
        self.settings = settings
    }

    /// All faults, a line each.
    func faults(in transaction: inout Transaction) throws -> [String] {
        var faults = importFaults
        for scope in factory.scopes {
            for (name, models) in Dictionary(grouping: scope.models, by: \.remoteName).sorted(by: { $0.key < $1.key })
            where models.count > 1 {
                faults.append("the model \(name)\(scope.place) is declared \(models.count) times")
            }
            for model in scope.models { faults += try self.faults(of: model, scope, in: &transaction) }
        }
        return faults
    }

    private func faults(
        of model: ReplicaModel,
        _ scope: ModelFactory.Scope,
        in transaction: inout Transaction
    ) throws -> [String] {
        let place = "the replica of \(model.remoteName)\(scope.place)"
        if model.ownPersistence != nil {
            return model.hasTableOptions
                ? ["\(place) is stored by the application, so that options for a table have no effect"] : []
        }
        guard let name = model.table else { return [] }
        guard let table = try transaction.describe(table: name) else { return ["\(place): there is no table \(name)"] }
        var faults = self.faults(of: model, table, "\(place): table \(table.name)")
        for (relationship, policy) in model.associations.sorted(by: { $0.key < $1.key }) {
            let place = "the relationship \(relationship) of \(model.remoteName)\(scope.place)"
            faults += try self.faults(of: policy, relationship, place, scope, in: &transaction)
        }
        return faults
    }

    private func faults(of model: ReplicaModel, _ table: TableDescription, _ place: String) -> [String] {
        let names = model.columnNames(settings.columns)
        var faults = names == settings.columns ? [] : names.faults.map { "\(place): \($0)" }
        guard let replica = ReplicaTable(model, table, names: settings.columns) else {
            return faults + ["\(place) has no column \(names.id)"]
        }
        if !table.uniqueKeys.contains([names.id]) { faults.append("\(place) has no unique key on \(names.id)") }
        for (attribute, column) in model.renamings.sorted(by: { $0.key < $1.key })
        where replica.column(ofAttribute: attribute) == nil {
            faults.append("\(place) has no column \(column) that the attribute \(attribute) could be stored in")
        }
        faults += readOnlyFaults(model, table, names, place) + typeFaults(model, table, place)
        if model.softDeletes, replica.canceledAt == nil {
            faults.append("\(place) has no column \(names.canceledAt) to mark destroyed records by")
        }
        if model.softDeletes, model.cancelling != nil {
            faults.append("\(place) has both a column and a strategy of its own for destroyed records")
        }
        if let version = replica.version, version.type != .integer {
            faults.append("\(place) has a column \(version.name) of the type \(version.declaredType), not bigint")
        }
        return faults + requiredColumnFaults(table, names, place)
    }

    private func readOnlyFaults(
        _ model: ReplicaModel,
        _ table: TableDescription,
        _ names: ReplicaColumnNames,
        _ place: String
    ) -> [String] {
        model.readOnly.sorted()
            .compactMap { column in
                if names.all.contains(column) {
                    "\(place) can't have \(column) as a read-only column, because Dionysus fills it"
                } else if table.column(column) == nil {
                    "\(place) has no column \(column) that could be read-only"
                } else {
                    nil
                }
            }
    }

    /// The columns that the type of a replica's records names, and that the table lacks.
    private func typeFaults(_ model: ReplicaModel, _ table: TableDescription, _ place: String) -> [String] {
        guard let type = model.type else { return [] }
        do {
            return try type.columns().map(\.name).filter { table.column($0) == nil }
                .map { "\(place) has no column \($0), which \(type.name) names" }
        } catch {
            return ["\(place): \(error)"]
        }
    }

    private func requiredColumnFaults(
        _ table: TableDescription,
        _ names: ReplicaColumnNames,
        _ place: String
    ) -> [String] {
        let filled = Set(names.all)
        return table.columns
            .filter { column in
                !column.isNullable && !column.hasDefault && !column.isGenerated
                    && (filled.contains(column.name) || table.primaryKey.contains(column.name))
                    && ![names.id, names.localCreatedAt, names.localUpdatedAt].contains(column.name)
            }
            .map { "\(place) has a column \($0.name) that takes no null and has no default" }
    }

    private func faults(
        of policy: AssociationPolicy,
        _ relationship: String,
        _ place: String,
        _ scope: ModelFactory.Scope,
        in transaction: inout Transaction
    ) throws -> [String] {
        switch policy {
        case .join(let table, let parent, let member):
            guard let description = try transaction.describe(table: table) else {
                return ["\(place): there is no table \(table)"]
            }
            return [parent, member].filter { description.column($0) == nil }
                .map { "\(place): table \(table) has no column \($0)" }
        case .replace(let foreignKey):
            let names = [settings.inflection.singular(of: relationship), relationship].map(Inflection.camelized)
            let replicas = names.compactMap { factory.replica(of: $0, in: scope.namespace) }
            for table in replicas.compactMap(\.table) {
                guard let description = try transaction.describe(table: table) else { continue }
                guard description.column(foreignKey) == nil else { return [] }
                return ["\(place): table \(table) has no column \(foreignKey)"]
            }
            return ["\(place): there is no table for the model \(names[0])"]
        }
    }

    /// Closures for imports that nothing calls, and topics that import for nobody.
    private var importFaults: [String] {
        var faults: [String] = []
        for scope in factory.scopes {
            let topics = topics.filter { scope.namespace == nil || $0.namespace == scope.namespace }
            guard !topics.contains(where: \.imports) else { continue }
            for model in scope.models where model.importing != nil || model.destroying != nil {
                faults.append("the replica of \(model.remoteName)\(scope.place) imports, but no topic of it does")
            }
        }
        for topic in topics where topic.imports {
            let models = factory.scopes.filter { $0.namespace == nil || $0.namespace == topic.namespace }
                .flatMap(\.models)
            guard !models.contains(where: { $0.importing != nil || $0.destroying != nil }) else { continue }
            faults.append("topic \(topic.namespace ?? "")_\(topic.name) imports, but no replica says how")
        }
        return faults
    }
}

extension ReplicaModel {
    /// Whether it has options that only a table can have.
    fileprivate var hasTableOptions: Bool {
        !renamings.isEmpty || !associations.isEmpty || !resolvers.isEmpty || softDeletes || !readOnly.isEmpty
            || renamesColumns != nil || storing != nil || cancelling != nil || importing != nil || destroying != nil
    }
}
