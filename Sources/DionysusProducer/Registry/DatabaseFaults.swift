import Dionysus

extension Registry {
    /// Every table that the declaration names.
    var tables: [String] {
        let read = publications.flatMap(\.sqlReads.observers)
        return Set(
            models.map(\.table) + publications.flatMap(\.associations).flatMap(\.hops).map(\.otherTable)
                + read.map(\.table) + read.flatMap(\.ways).joined().map(\.otherTable)
        )
        .sorted()
    }

    /// The faults of the declaration, by itself and against the database, a line each.
    func faults(in catalogue: Catalogue) -> [String] {
        let ofPublications = publications.flatMap { publication in
            publication.faults(in: catalogue).map { "topic \(publication.topic), model \(publication.model)\($0)" }
        }
        let ofModels = models.flatMap { $0.faults(in: catalogue) }
        return (faults + ofPublications + ofModels + captureFaults + pollFaults + pollFaults(in: catalogue))
            .withoutRepetitions
    }
}

extension Registry {
    /// What may fail for some rows, a line each.
    func warnings(in catalogue: Catalogue, _ transaction: inout Transaction) throws -> [String] {
        try models.flatMap { model in
            let fit = try? catalogue.fit(of: model)
            let keys = try catalogue[model.table].flatMap { try StoredKeys(of: model, $0, in: &transaction)?.problem }
            let warnings = (fit?.warnings ?? []) + [keys].compactMap(\.self)
            return warnings.map { "model \(model): \($0)" }
        }
    }
}

extension Registry.Publication {
    /// Every association that the publication uses.
    var associations: [AssociationDescription] {
        let ofSerializers = serialized.flatMap { model in
            let plan = plan(for: model)
            return plan.allRelationships.flatMap(\.branches) + plan.allLoads
                + plan.allSQLAttributes.flatMap(\.attribute.via)
        }
        return ofSerializers + dependencies + observations.map(\.association)
    }

    /// What does not fit; each line continues the name of the publication.
    fileprivate func faults(in catalogue: Catalogue) -> [String] {
        serialized.flatMap { plan(for: $0).all }.flatMap { serializerFaults($0, catalogue) }
            + unserialized
            + dependencies.flatMap { path in path.faults(in: catalogue).map { ", with \(path.target): \($0)" } }
            + unsideloaded(aggregate, of: model)
            + observations.flatMap { observationFaults($0, catalogue) }
            + partitionKeyFaults(catalogue)
    }

    /// The models without a serializer, which would say what may leave the application; each line continues the name of the
    /// publication.
    var unserialized: [String] {
        serialized.filter { serializers.plan(of: $0) == nil }
            .map { ($0 == model ? "" : ", with \($0)") + Serializers.missing(for: $0) }
    }

    private func serializerFaults(_ plan: SerializerPlan, _ catalogue: Catalogue) -> [String] {
        guard let name = plan.serializerName else { return [] }
        let columns = (try? plan.model.columns().map(\.name)) ?? []
        let unknown = (plan.properties ?? []).map(\.name).filter { !columns.isEmpty && !columns.contains($0) }
        let associations = plan.relationships.flatMap { relationship in
            relationship.branches.flatMap { $0.faults(in: catalogue) }.map { "link \(relationship.name): \($0)" }
        }
        let loads = (plan.loads + plan.sqlAttributes.flatMap(\.via)).flatMap { $0.faults(in: catalogue) }
        return (unknown.map { "attribute \($0): \(plan.model) has no such property" } + associations + loads)
            .map { ", \(name): \($0)" }
    }

    /// Dependencies that have no place in the payloads of what they belong to.
    private func unsideloaded(_ parts: [DependencyDescription], of model: ModelDescription) -> [String] {
        let plan = plan(for: model)
        let linked = plan.allRelationships.flatMap(\.branches)
        let serializer = plan.serializerName ?? "\(model), which is published whole,"
        return parts.flatMap { part in
            (linked.contains(part.association)
                ? [] : [", with \(part.association.target): \(serializer) has no relationship for it"])
                + unsideloaded(part.dependencies, of: part.association.target)
        }
    }

    private func observationFaults(_ observation: Observation, _ catalogue: Catalogue) -> [String] {
        var faults = catalogue.missing(observation.columns, in: observation.model.table)
        if observation.columns.isEmpty { faults.append("no attribute is named") }
        if observation.association.source != observation.model {
            faults.append("the association begins at \(observation.association.source)")
        }
        if observation.association.target != model {
            faults.append("the association leads to \(observation.association.target)")
        }
        return (faults + observation.association.faults(in: catalogue))
            .map { ", observing \(observation.model): \($0)" }
    }

    private func partitionKeyFaults(_ catalogue: Catalogue) -> [String] {
        catalogue.missing(partitionKey.keptColumns, in: model.table).map { ", partition key: \($0)" }
    }
}

extension ModelDescription {
    fileprivate func faults(in catalogue: Catalogue) -> [String] {
        guard let description = catalogue[table] else { return ["model \(self): there is no table \(table)"] }
        do {
            var faults = catalogue.missing(
                try columns().map(\.name) + [primaryKey] + [updatesAfterSoftDelete?.column].compactMap(\.self),
                in: table
            )
            if let key = description.column(primaryKey) { faults += try keyFaults(key, catalogue) }
            faults += try catalogue.fit(of: self)?.faults ?? []
            return faults.map { "model \(self): \($0)" }
        } catch {
            return ["model \(self): \(error)"]
        }
    }
}

extension ModelDescription {
    /// A key that has several texts, or none that is the same everywhere, distinguishes no records.
    private func keyFaults(_ key: ColumnDescription, _ catalogue: Catalogue) throws -> [String] {
        let isUUID = try columns().contains { $0.name == key.name && $0.isUUID }
        let isUUIDInBytes = isUUID && key.type == .bytes && !catalogue.hasUUIDs
        let declared = key.declaredType.uppercased()
        // SQLite turns what has another name into the numbers and texts that it finds again.
        let isKnown = catalogue.hasUUIDs ? key.type != nil : !["", "ANY"].contains(declared)
        if let type = key.type, ![.integer, .text, .uuid].contains(type), !isUUIDInBytes { return [unsupported(key)] }
        guard isKnown else { return [unsupported(key)] }
        guard key.ignoresSpelling, !isUUID, key.type != .integer else { return [] }
        return [
            "the primary key \(key.name) takes differently written texts for equal, and its messages would not: give the "
                + "column a type and collation that compare exactly, and a unique index on lower(\(key.name)) if you need it"
        ]
    }

    private func unsupported(_ key: ColumnDescription) -> String {
        let type = key.declaredType.isEmpty ? "has no type" : "is of type \(key.declaredType)"
        return
            "the primary key \(key.name) \(type), which is neither integer, text nor uuid: publish the model by a key of "
            + "one of these types"
    }
}

extension AssociationDescription {
    fileprivate func faults(in catalogue: Catalogue) -> [String] {
        var table = source.table
        return hops.flatMap { hop in
            defer { table = hop.otherTable }
            let missing =
                catalogue.missing(hop.sourceColumns, in: table)
                + catalogue.missing(hop.targetColumns, in: hop.otherTable)
            return (missing.isEmpty ? incomparable(hop, from: table, catalogue) : missing)
                .map { "association \(self): \($0)" }
        }
    }

    /// Rows are joined by the database and put together here, where a number is never equal to a text.
    private func incomparable(_ hop: AssociationHop, from table: String, _ catalogue: Catalogue) -> [String] {
        guard let type = catalogue[table]?.column(hop.column)?.type,
            let other = catalogue[hop.otherTable]?.column(hop.otherColumn)?.type, type != other
        else { return [] }
        return [
            "\(table).\(hop.column) is \(type.rawValue) and \(hop.otherTable).\(hop.otherColumn) \(other.rawValue): they can't be compared"
        ]
    }
}

extension Catalogue {
    /// How a model's properties fit its columns; nil where it has no table.
    fileprivate func fit(of model: ModelDescription) throws -> ColumnFit? {
        guard let table = self[model.table], let dialect else { return nil }
        return try ColumnFit(model, table, dialect)
    }

    fileprivate func missing(_ columns: [String], in table: String) -> [String] {
        guard let description = self[table] else { return ["there is no table \(table)"] }
        return columns.filter { description.column($0) == nil }.map { "table \(table) has no column \($0)" }
    }
}

/// Tables of the declaration of which the database hides rows: what isn't found there counts as gone.
func hiddenRows(
    _ registry: Registry,
    _ database: any CapturingDatabase,
    in transaction: inout Transaction
) throws -> [String] {
    try database.outbox.tablesHidingRows(among: registry.tables, in: &transaction)
        .map { table in
            "row-level security hides rows of table \(table) from this role, and what the relay doesn't see would count as "
                + "deleted: let the role bypass it (ALTER ROLE … BYPASSRLS), or connect as the table's owner"
        }
}
