import Dionysus

/// Compares the declared replicas with their tables.
struct ReplicaCheck: Sendable {
    let models: [ReplicaModel]
    let settings: ConsumerSettings

    /// All faults, a line each.
    func faults(in transaction: inout Transaction) throws -> [String] {
        var faults: [String] = []
        for (name, models) in Dictionary(grouping: models, by: \.remoteName).sorted(by: { $0.key < $1.key })
        where models.count > 1 {
            faults.append("the model \(name) is declared \(models.count) times")
        }
        for model in models {
            guard let name = model.table else { continue }
            guard let table = try transaction.describe(table: name) else {
                faults.append("the replica of \(model.remoteName): there is no table \(name)")
                continue
            }
            faults += self.faults(of: model, table)
            for (relationship, policy) in model.associations.sorted(by: { $0.key < $1.key }) {
                faults += try self.faults(of: policy, relationship, model, in: &transaction)
            }
        }
        return faults
    }

    private func faults(of model: ReplicaModel, _ table: TableDescription) -> [String] {
        let names = settings.columns
        let place = "the replica of \(model.remoteName): table \(table.name)"
        guard let replica = ReplicaTable(model, table, names: names) else {
            return ["\(place) has no column \(names.id)"]
        }
        var faults: [String] = []
        if !table.uniqueKeys.contains([names.id]) { faults.append("\(place) has no unique key on \(names.id)") }
        for (attribute, column) in model.renamings.sorted(by: { $0.key < $1.key })
        where replica.column(ofAttribute: attribute) == nil {
            faults.append("\(place) has no column \(column) that the attribute \(attribute) could be stored in")
        }
        if model.softDeletes, replica.canceledAt == nil {
            faults.append("\(place) has no column \(names.canceledAt) to mark destroyed records by")
        }
        if let version = replica.version, version.type != .integer {
            faults.append("\(place) has a column \(version.name) of the type \(version.declaredType), not bigint")
        }
        let filled = Set(names.all)
        for column in table.columns
        where !column.isNullable && !column.hasDefault && !column.isGenerated
            && (filled.contains(column.name) || table.primaryKey.contains(column.name))
            && ![names.id, names.localCreatedAt, names.localUpdatedAt].contains(column.name)
        {
            faults.append("\(place) has a column \(column.name) that takes no null and has no default")
        }
        return faults
    }

    private func faults(
        of policy: AssociationPolicy,
        _ relationship: String,
        _ model: ReplicaModel,
        in transaction: inout Transaction
    ) throws -> [String] {
        let place = "the relationship \(relationship) of \(model.remoteName)"
        switch policy {
        case .join(let table, let parent, let member):
            guard let description = try transaction.describe(table: table) else {
                return ["\(place): there is no table \(table)"]
            }
            return [parent, member].filter { description.column($0) == nil }
                .map {
                    "\(place): table \(table) has no column \($0)"
                }
        case .replace(let foreignKey):
            let singular = settings.inflection.singular(of: relationship)
            let name = Inflection.camelized(singular)
            let declared = models.first { $0.remoteName == name }
            let table = declared.map(\.table) ?? settings.inflection.plural(of: singular)
            guard let table, let description = try transaction.describe(table: table) else {
                return ["\(place): there is no table for the model \(name)"]
            }
            return description.column(foreignKey) == nil ? ["\(place): table \(table) has no column \(foreignKey)"] : []
        }
    }
}
