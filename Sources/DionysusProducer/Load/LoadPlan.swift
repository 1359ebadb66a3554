import Dionysus

/// What has to be loaded to publish records of one model: its rows, and the rows they are associated with.
///
/// The plan is a tree as deep as the declaration; each of its nodes is one query for a whole batch, and every query
/// begins at the records' ids, so that all of them go to the database at once.
struct LoadPlan: Sendable {
    struct Edge: Sendable {
        let association: AssociationDescription
        let target: LoadPlan
    }

    let serializer: SerializerPlan
    let model: ModelDescription
    let columns: [String]
    /// The types of the model's columns, as far as they are known.
    let columnTypes: [String: DatabaseType]
    let key: RecordKey
    /// The keys of linked records, where the payload writes them otherwise than the row does.
    let linkedKeys: [AssociationDescription: RecordKey]
    /// The column, if the table has it.
    let softDeleteColumn: String?
    /// The columns whose texts the database fills with blanks.
    private let padded: Set<String>
    let edges: [Edge]
    /// The associations whose records are published as payloads, too.
    let sideloads: Set<AssociationDescription>

    /// The plans of all publications, also for their genesis and verification topics.
    static func all(of registry: Registry, _ catalogue: Catalogue) throws -> [RecordGroup: LoadPlan] {
        let plans = try registry.publications.flatMap { publication in
            let plan = try LoadPlan(publication, catalogue)
            return publication.allTopics.map { (RecordGroup(topic: $0, modelName: publication.model.name), plan) }
        }
        return Dictionary(plans, uniquingKeysWith: { first, _ in first })
    }

    /// The plan of a publication.
    init(_ publication: Registry.Publication, _ catalogue: Catalogue) throws {
        try self.init(
            publication.model,
            publication,
            sideloading: publication.aggregate,
            columns: publication.model.columns().map(\.name),
            catalogue
        )
    }

    /// The plan of a model whose payloads are published, as records or as parts of records.
    private init(
        _ model: ModelDescription,
        _ publication: Registry.Publication,
        sideloading parts: [DependencyDescription],
        columns: [String],
        _ catalogue: Catalogue
    ) throws {
        let serializer = publication.plan(for: model)
        let relationships = serializer.allRelationships
        let sideloads = Set(parts.map(\.association))
        // A link that the row holds itself needs no query.
        let linked = relationships.filter { $0.link == nil }.flatMap(\.branches).filter { !$0.isBelongsTo }
        let needed = parts.map(\.association) + serializer.allLoads + linked
        let edges = try needed.withoutRepetitions.map { association in
            let target = association.target
            if sideloads.contains(association) {
                let nested = parts.filter { $0.association == association }.flatMap(\.dependencies)
                let columns = try target.columns().map(\.name)
                let plan = try LoadPlan(target, publication, sideloading: nested, columns: columns, catalogue)
                return Edge(association: association, target: plan)
            }
            let isLoaded = serializer.allLoads.contains(association)
            let columns = isLoaded ? try target.columns().map(\.name) : []
            return Edge(association: association, target: LoadPlan(leaf: target, columns: columns, catalogue))
        }
        let keys = relationships.flatMap(\.branches).filter(\.isBelongsTo) + needed.filter(\.isBelongsTo)
        self.init(
            model,
            serializer,
            columns: columns + keys.flatMap(\.hops[0].sourceColumns),
            edges: edges,
            sideloads: sideloads,
            linkedKeys: Self.linkedKeys(relationships.flatMap(\.branches), catalogue),
            catalogue
        )
    }

    private static func linkedKeys(
        _ associations: [AssociationDescription],
        _ catalogue: Catalogue
    ) -> [AssociationDescription: RecordKey] {
        var keys: [AssociationDescription: RecordKey] = [:]
        for association in associations {
            let target = association.target
            guard association.hops.last?.otherColumn == target.primaryKey || !association.isBelongsTo else { continue }
            let key = RecordKey(of: target, catalogue)
            if key.hasSpellings { keys[association] = key }
        }
        return keys
    }

    /// The plan of records that are only asked for their own columns.
    private init(leaf model: ModelDescription, columns: [String], _ catalogue: Catalogue) {
        self.init(
            model,
            SerializerPlan(encoding: model),
            columns: columns,
            edges: [],
            sideloads: [],
            linkedKeys: [:],
            catalogue,
            isLinkedOnly: columns.isEmpty
        )
    }

    private init(
        _ model: ModelDescription,
        _ serializer: SerializerPlan,
        columns: [String],
        edges: [Edge],
        sideloads: Set<AssociationDescription>,
        linkedKeys: [AssociationDescription: RecordKey],
        _ catalogue: Catalogue,
        isLinkedOnly: Bool = false
    ) {
        let table = catalogue[model.table]
        self.model = model
        self.serializer = serializer
        self.edges = edges
        self.sideloads = sideloads
        self.linkedKeys = linkedKeys
        key = RecordKey(of: model, catalogue)
        softDeleteColumn = isLinkedOnly ? nil : table?.column(model.softDeleteColumn)?.name
        let types = (table?.columns ?? []).compactMap { column in column.type.map { (column.name, $0) } }
        columnTypes = Dictionary(types, uniquingKeysWith: { first, _ in first })
        let condition = isLinkedOnly ? nil : model.updatesAfterSoftDelete?.column
        let own = [model.primaryKey] + [softDeleteColumn, condition].compactMap(\.self)
        let all = (columns + own).withoutRepetitions
        self.columns = all
        padded = Set(all.filter { catalogue.isPadded(model.table, $0) })
    }

    // MARK: Queries

    /// The queries of the whole tree, a parent before its children.
    /// - Parameter ids: The primary keys, as the outbox has them.
    func queries(ids: [String], dialect: any SQLDialect) -> [SQL] {
        let (type, ids) = (key.type, ids.flatMap(key.candidates))
        let isWanted = { (alias: String) in
            dialect.isAnyKey("\(raw: alias).\(identifier: model.primaryKey)", of: ids, type: type)
        }
        let own: SQL =
            "SELECT \(list(of: row)) FROM \(identifier: model.table) \(raw: row) WHERE \(isWanted(row))"
        return [own] + edgeQueries(isWanted)
    }

    /// - Parameter isWanted: The condition that holds for those of this model's rows that are loaded, under an alias.
    private func edgeQueries(_ isWanted: @escaping (String) -> SQL) -> [SQL] {
        edges.flatMap { edge in
            let target = edge.target
            let isTargetWanted = { (alias: String) -> SQL in
                "\(raw: alias).\(identifier: target.model.primaryKey) IN (\(keys(edge, isWanted)))"
            }
            return [query(edge, isWanted)] + target.edgeQueries(isTargetWanted)
        }
    }

    /// The rows at the end of an association; each begins with the key of the record that it belongs to,
    /// under a name that hides no column of the row.
    private func query(_ edge: Edge, _ isWanted: (String) -> SQL) -> SQL {
        let (target, row) = (edge.target.model, edge.target.row)
        let columns = edge.target.list(of: row)
        if edge.association.isBelongsTo {
            return """
                SELECT \(edge.target.value(target.primaryKey, of: row)) AS dionysus_source, \(columns)
                FROM \(identifier: target.table) \(raw: row)
                WHERE \(raw: row).\(identifier: target.primaryKey) IN (\(keys(edge, isWanted)))
                """
        }
        // The other names must not hide what an expression calls its row.
        let prefix = edge.target.sqlAttributes.isEmpty ? "" : "dionysus_"
        return """
            SELECT \(value(model.primaryKey, of: prefix + "s")) AS dionysus_source, \(columns)
            FROM \(path(edge.association, to: row, prefix)) WHERE \(isWanted(prefix + "s"))
            ORDER BY \(raw: row).\(identifier: target.primaryKey)
            """
    }

    /// The primary keys of the rows at the end of an association.
    private func keys(_ edge: Edge, _ isWanted: (String) -> SQL) -> SQL {
        if edge.association.isBelongsTo {
            let hop = edge.association.hops[0]
            let step = PathJoin.Step(hop: hop, source: "s", target: "t")
            return """
                SELECT s.\(identifier: hop.column) FROM \(identifier: model.table) s
                WHERE \(isWanted("s"))\(step.condition)
                """
        }
        return """
            SELECT t.\(identifier: edge.target.model.primaryKey) FROM \(path(edge.association)) WHERE \(isWanted("s"))
            """
    }

    /// The tables of an association, joined.
    /// - Parameters:
    ///   - end: The alias of the last; that of the first is `s`.
    ///   - prefix: What the other aliases begin with.
    private func path(_ association: AssociationDescription, to end: String = "t", _ prefix: String = "") -> SQL {
        let last = association.hops.count
        let joins = PathJoin(association.hops, from: prefix + "s") { $0 == last ? end : "\(prefix)h\($0)" }
        return "\(identifier: model.table) \(raw: prefix)s\(joins.sql)"
    }

    /// The alias of the model's rows, which is the name that expressions have for them.
    private var row: String {
        sqlAttributes.isEmpty ? "t" : "\"\(model.singular.replacing("\"", with: "\"\""))\""
    }

    private func list(of alias: String) -> SQL {
        let own = columns.map { column in
            padded.contains(column)
                ? "\(value(column, of: alias)) AS \(identifier: column)" : value(column, of: alias)
        }
        return (own + sqlAttributes.map { "\($0.attribute.sql) AS \(identifier: $0.column)" }).joined(separator: ", ")
    }

    /// What the database computes for each row.
    private var sqlAttributes: [(column: String, attribute: SQLAttribute)] { serializer.allSQLAttributes }

    /// A column as it is read: without the blanks that a `char(n)` is filled with.
    private func value(_ column: String, of alias: String) -> SQL {
        let name: SQL = "\(raw: alias).\(identifier: column)"
        return padded.contains(column) ? "CAST(\(name) AS text)" : name
    }
}
