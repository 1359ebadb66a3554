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
    let primaryKeyType: DatabaseType
    /// The column, if the table has it.
    let softDeleteColumn: String?
    let edges: [Edge]
    /// The names of the relationships that are published as payloads, too.
    let sideloads: Set<String>

    /// The plan of a publication.
    init(_ publication: Registry.Publication, _ catalogue: Catalogue) throws {
        try self.init(publication.model, publication, sideloading: publication.dependencies, catalogue)
    }

    private init(
        _ model: ModelDescription,
        _ publication: Registry.Publication,
        sideloading dependencies: [AssociationDescription],
        _ catalogue: Catalogue
    ) throws {
        let table = catalogue[model.table]
        serializer = publication.plan(for: model)
        self.model = model
        primaryKeyType = catalogue.primaryKeyType(of: model)
        softDeleteColumn = table?.column(model.softDeleteColumn)?.name
        sideloads = Set(
            serializer.relationships.filter { dependencies.contains($0.association) }.map(\.name)
        )
        let associations = serializer.relationships.map(\.association)
        var columns = try model.columns().map(\.name) + [model.primaryKey]
        columns += associations.filter(\.isBelongsTo).map { $0.hops[0].column }
        if let softDeleteColumn { columns.append(softDeleteColumn) }
        self.columns = columns.withoutRepetitions

        let needed = associations.filter { !$0.isBelongsTo || dependencies.contains($0) } + serializer.loads
        edges = try needed.withoutRepetitions.map { association in
            let target = LoadPlan(
                target: association.target,
                serializer: dependencies.contains(association) ? publication.plan(for: association.target) : nil,
                columns: try association.target.columns().map(\.name),
                catalogue
            )
            return Edge(association: association, target: target)
        }
    }

    /// The plan of an associated model: its own columns, and of its links those that its rows hold themselves.
    private init(target: ModelDescription, serializer: SerializerPlan?, columns: [String], _ catalogue: Catalogue) {
        self.serializer = serializer ?? SerializerPlan(encoding: target)
        model = target
        primaryKeyType = catalogue.primaryKeyType(of: target)
        softDeleteColumn = catalogue[target.table]?.column(target.softDeleteColumn)?.name
        let keys = self.serializer.relationships.map(\.association).filter(\.isBelongsTo).map { $0.hops[0].column }
        self.columns = (columns + [target.primaryKey] + keys).withoutRepetitions
        edges = []
        sideloads = []
    }

    /// The queries of the whole tree, a parent before its children.
    func queries(ids: [DatabaseValue], dialect: any SQLDialect) -> [SQL] {
        let isWanted = dialect.isAny("t.\(identifier: model.primaryKey)", of: ids, type: primaryKeyType)
        let own: SQL =
            "SELECT \(Self.list(columns, of: "t")) FROM \(identifier: model.table) t WHERE \(isWanted)"
        return [own] + edges.map { edge in query(edge, ids: ids, dialect: dialect) }
    }

    /// The rows at the end of an association; each begins with the key that tells to which record it belongs,
    /// under a name that hides no column of the row.
    private func query(_ edge: Edge, ids: [DatabaseValue], dialect: any SQLDialect) -> SQL {
        let hops = edge.association.hops
        let isWanted = dialect.isAny("s.\(identifier: model.primaryKey)", of: ids, type: primaryKeyType)
        let key = edge.target.model.primaryKey
        if edge.association.isBelongsTo {
            return """
                SELECT t.\(identifier: key) AS dionysus_source, \(Self.list(edge.target.columns, of: "t"))
                FROM \(identifier: edge.target.model.table) t WHERE t.\(identifier: key) IN (
                  SELECT s.\(identifier: hops[0].column) FROM \(identifier: model.table) s WHERE \(isWanted)
                )
                """
        }
        var from: SQL = "\(identifier: model.table) s"
        for (index, hop) in hops.enumerated() {
            let previous = index == 0 ? "s" : "h\(index)"
            let alias = index == hops.count - 1 ? "t" : "h\(index + 1)"
            from += """
                 JOIN \(identifier: hop.otherTable) \(raw: alias)
                ON \(raw: alias).\(identifier: hop.otherColumn) = \(raw: previous).\(identifier: hop.column)
                """
        }
        return """
            SELECT s.\(identifier: model.primaryKey) AS dionysus_source, \(Self.list(edge.target.columns, of: "t"))
            FROM \(from) WHERE \(isWanted) ORDER BY t.\(identifier: key)
            """
    }

    private static func list(_ columns: [String], of alias: String) -> SQL {
        columns.map { "\(raw: alias).\(identifier: $0)" as SQL }.joined(separator: ", ")
    }
}

extension Array where Element: Hashable {
    /// The elements in their order, each once.
    var withoutRepetitions: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
