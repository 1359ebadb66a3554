package import Dionysus

/// Compares the declared replicas with their tables.
struct ReplicaCheck: Sendable {
    let factory: ModelFactory
    let plan: ConsumedTopics
    let settings: ConsumerSettings

    init(_ consumer: some Consumer, settings: ConsumerSettings) {
        factory = ModelFactory(consumer, settings)
        plan = ConsumedTopics(consumer, settings: settings)
        self.settings = settings
    }

    /// All faults, a line each.
    func faults(in transaction: inout Transaction) throws -> [String] {
        var faults = try importFaults + topicFaults(in: &transaction)
        for scope in factory.scopes {
            for (name, models) in Dictionary(grouping: scope.models, by: \.remoteName).sorted(by: { $0.key < $1.key })
            where models.count > 1 {
                faults.append("the model \(name)\(scope.place) is declared \(models.count) times")
            }
            for model in scope.models { faults += try self.faults(of: model, scope, in: &transaction) }
        }
        return faults
    }

    /// What may fail for some rows or messages, a line each.
    func warnings(in transaction: inout Transaction) throws -> [String] {
        var warnings: [String] = []
        for scope in factory.scopes {
            for model in scope.models {
                guard let type = model.type, let name = model.table,
                    let table = try transaction.describe(table: name),
                    let fit = try? ColumnFit(type, table, transaction.dialect)
                else { continue }
                warnings += fit.warnings.map { "the replica of \(model.remoteName)\(scope.place): \($0)" }
            }
        }
        return warnings
    }

    /// What of published models no replica keeps, and what of replicas no published model fills, a line each.
    func notes(on published: [PublishedAttributes], in transaction: inout Transaction) throws -> [String] {
        var notes: [String] = []
        for publication in published {
            guard let (model, replica, description) = try replica(of: publication, in: &transaction) else { continue }
            notes += self.notes(on: publication, model, replica, description)
        }
        return notes
    }

    /// The table that keeps what is published; nil if none does.
    func replica(
        of publication: PublishedAttributes,
        in transaction: inout Transaction
    ) throws -> (ReplicaModel, ReplicaTable, TableDescription)? {
        guard plan.contains(publication.topic),
            let model = factory.replica(
                of: publication.model,
                in: factory.scope(of: plan[publication.topic].namespace)
            ),
            let name = model.table, let description = try transaction.describe(table: name),
            let replica = ReplicaTable(model, description, names: settings.columns)
        else { return nil }
        return (model, replica, description)
    }

    private func notes(
        on publication: PublishedAttributes,
        _ model: ReplicaModel,
        _ replica: ReplicaTable,
        _ table: TableDescription
    ) -> [String] {
        let place = "topic \(publication.topic), model \(publication.model)"
        let names = model.columnNames(settings.columns)
        let reserved = ["id", "created_at", "updated_at", "canceled_at"]
        let attributes = publication.attributes.filter { !reserved.contains($0) }
        let links = publication.links.flatMap { link in
            ["_id", "_type", "_ids"].map { settings.columns.prefix + settings.inflection.singular(of: link) + $0 }
                + ["_id", "_type", "_ids"].map { settings.columns.prefix + link + $0 }
        }
        // What no column has is kept whole where the table has a column for that.
        let unheld = replica.data == nil ? attributes.filter { replica.column(ofAttribute: $0) == nil } : []
        let held = Set(attributes.compactMap { replica.column(ofAttribute: $0)?.name })
            .union(links.compactMap { replica.column(ofLink: $0)?.name })
        let filled = Set(names.all + table.primaryKey + model.readOnly)
        let unfilled = table.columns.filter { column in
            !filled.contains(column.name) && !held.contains(column.name) && !column.isGenerated
        }
        return unheld.map { "\(place): no column of table \(table.name) holds the attribute \($0)" }
            + unfilled.map { "\(place): no attribute fills column \($0.name) of table \(table.name)" }
    }

    private func faults(
        of model: ReplicaModel,
        _ scope: ModelFactory.Scope,
        in transaction: inout Transaction
    ) throws -> [String] {
        let place = "the replica of \(model.remoteName)\(scope.place)"
        if model.customStorage != nil {
            return model.hasTableOptions
                ? ["\(place) is stored by the application, so that options for a table have no effect"] : []
        }
        guard let name = model.table else { return [] }
        guard let table = try transaction.describe(table: name) else { return ["\(place): there is no table \(name)"] }
        var faults = self.faults(of: model, table, transaction.dialect, "\(place): table \(table.name)")
        for (relationship, policy) in model.associations.sorted(by: { $0.key < $1.key }) {
            let place = "the relationship \(relationship) of \(model.remoteName)\(scope.place)"
            faults += try self.faults(of: policy, relationship, place, scope, in: &transaction)
        }
        return faults
    }

    func faults(
        of model: ReplicaModel,
        _ table: TableDescription,
        _ dialect: any SQLDialect,
        _ place: String
    ) -> [String] {
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
        faults += readOnlyFaults(model, table, names, place) + typeFaults(model, table, dialect, place)
        if model.softDeletes, replica.canceledAt == nil {
            faults.append("\(place) has no column \(names.canceledAt) to mark destroyed records by")
        }
        if model.softDeletes, model.cancelling != nil {
            faults.append("\(place) has both a column and a strategy of its own for destroyed records")
        }
        if let version = replica.version, version.type != .integer {
            faults.append("\(place) has a column \(version.name) of the type \(version.declaredType), not bigint")
        }
        return faults + systemColumnFaults(replica, place) + requiredColumnFaults(table, names, place)
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
    private func typeFaults(
        _ model: ReplicaModel,
        _ table: TableDescription,
        _ dialect: any SQLDialect,
        _ place: String
    ) -> [String] {
        guard let type = model.type else { return [] }
        do {
            let missing = try type.columns().map(\.name).filter { table.column($0) == nil }
                .map { "\(place) has no column \($0), which \(type.name) names" }
            return try missing + ColumnFit(type, table, dialect).faults.map { "the type \(type.name): \($0)" }
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
            let names = [settings.inflection.singular(of: relationship), relationship]
                .map(settings.inflection.camelized)
            let replicas = names.compactMap { factory.replica(of: $0, in: scope.namespace) }
            for table in replicas.compactMap(\.table) {
                guard let description = try transaction.describe(table: table) else { continue }
                guard description.column(foreignKey) == nil else { return [] }
                return ["\(place): table \(table) has no column \(foreignKey)"]
            }
            return ["\(place): there is no table for the model \(names[0])"]
        }
    }

    /// Closures for imports that nothing calls, and topics that import into no replica.
    private var importFaults: [String] {
        var faults: [String] = []
        for scope in factory.scopes {
            let topics = plan.all.filter { scope.namespace == nil || $0.namespace == scope.namespace }
            guard !topics.contains(where: \.imports) else { continue }
            for model in scope.models where model.importing != nil || model.destroying != nil {
                faults.append("the replica of \(model.remoteName)\(scope.place) imports, but no topic of it does")
            }
        }
        for topic in plan.all where topic.imports {
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

/// The attributes and links of a model in a topic, as its producer declares them.
package struct PublishedAttributes: Sendable {
    let topic: String
    let model: String
    let attributes: [String]
    let links: [String]
    let kinds: [String: ValueKind]

    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - model: The model's name on the wire.
    ///   - attributes: The names of its attributes.
    ///   - links: The names of its links.
    ///   - kinds: What attributes are, as far as it is known.
    package init(
        topic: String,
        model: String,
        attributes: [String],
        links: [String],
        kinds: [String: ValueKind] = [:]
    ) {
        self.topic = topic
        self.model = model
        self.attributes = attributes
        self.links = links
        self.kinds = kinds
    }
}
