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

extension Registry {
    /// Every table that the declaration names.
    var tables: [String] {
        let hops = publications.flatMap { publication in
            publication.dependencies.flatMap(\.hops) + publication.observations.flatMap(\.association.hops)
        }
        return Set(models.map(\.table) + hops.map(\.otherTable)).sorted()
    }

    /// What of the declaration does not fit the database, a line each.
    func faults(in catalogue: Catalogue) -> [String] {
        var faults = publications.flatMap { publication -> [String] in
            let place = "topic \(publication.topic), model \(publication.model)"
            let plan = publication.plan(for: publication.model)
            let associations =
                plan.relationships.map(\.association) + plan.loads + publication.dependencies
                + publication.observations.map(\.association)
            var faults = associations.flatMap { faultsOf($0, catalogue).map { "\(place): \($0)" } }
            for observation in publication.observations {
                let missing = missingColumns(observation.columns, in: observation.model.table, catalogue)
                faults += missing.map { "\(place), observing \(observation.model): \($0)" }
                if observation.association.target != publication.model {
                    faults.append("\(place), observing \(observation.model): the association does not lead to it")
                }
            }
            for dependency in publication.dependencies
            where !plan.relationships.contains(where: { $0.association == dependency }) {
                faults.append("\(place): its serializer has no relationship for the dependency \(dependency.target)")
            }
            return faults
        }
        for model in models { faults += faultsOf(model, catalogue) }
        faults += captureFaults
        return faults.reduce(into: []) { unique, fault in if !unique.contains(fault) { unique.append(fault) } }
    }

    private func faultsOf(_ model: ModelDescription, _ catalogue: Catalogue) -> [String] {
        guard let table = catalogue[model.table] else {
            return ["model \(model): there is no table \(model.table)"]
        }
        do {
            let names = try model.columns().map(\.name)
            var faults = missingColumns(names + [model.primaryKey], in: model.table, catalogue)
            let type = table.column(model.primaryKey)?.type
            if let type, ![.integer, .text, .uuid].contains(type) {
                faults.append("the primary key \(model.primaryKey) is neither integer, text nor uuid")
            }
            return faults.map { "model \(model): \($0)" }
        } catch {
            return ["model \(model): \(error)"]
        }
    }

    private func faultsOf(_ association: AssociationDescription, _ catalogue: Catalogue) -> [String] {
        var table = association.source.table
        return association.hops.flatMap { hop in
            let faults =
                missingColumns([hop.column], in: table, catalogue)
                + missingColumns([hop.otherColumn], in: hop.otherTable, catalogue)
            table = hop.otherTable
            return faults.map { "association \(association): \($0)" }
        }
    }

    private func missingColumns(_ columns: [String], in table: String, _ catalogue: Catalogue) -> [String] {
        guard let description = catalogue[table] else { return ["there is no table \(table)"] }
        return columns.filter { description.column($0) == nil }.map { "table \(table) has no column \($0)" }
    }
}
