import Dionysus

/// Finds out which changes of other rows change the values of SQL attributes.
struct ObserverDerivation {
    /// The declared names of tables, by the names that the database calls them.
    private let names: [String: String]
    private let map: TableMap
    /// The tables whose changes no trigger sees.
    private let recordedByApplication: Set<String>

    init(_ registry: Registry, in transaction: inout Transaction) throws {
        let expressions = try transaction.expressions
        var names: [String: String] = [:]
        for table in registry.tables {
            guard let name = try expressions.describedName(ofTable: table), names[name] == nil else { continue }
            names[name] = table
        }
        self.names = names
        let keys = try expressions.foreignKeys()
            .map { key in
                ForeignKey(
                    table: names[key.table] ?? key.table,
                    column: key.column,
                    otherTable: names[key.otherTable] ?? key.otherTable,
                    otherColumn: key.otherColumn
                )
            }
        map = TableMap(keys, registry.publications.flatMap(\.associations))
        recordedByApplication = Set(registry.models.filter { $0.captureMethod == .application }.map(\.table))
    }

    /// What a publication's attributes read.
    /// - Parameter faults: Gets what can't be derived, a line each.
    func reads(
        of publication: Registry.Publication,
        _ faults: inout [String],
        in transaction: inout Transaction
    ) throws -> SQLReads {
        var reads = SQLReads()
        for (model, attribute) in publication.sqlAttributes {
            var problems: [String] = []
            if let read = try read(attribute, of: model, publication, &problems, in: &transaction) {
                reads.ownColumns[model] = (reads.ownColumns[model, default: []] + read.own).withoutRepetitions
                reads.observers += read.observers
            }
            faults += problems.map { "model \(model), attribute \(attribute.name): \($0)" }
        }
        return reads
    }

    private func read(
        _ attribute: SQLAttribute,
        of model: ModelDescription,
        _ publication: Registry.Publication,
        _ faults: inout [String],
        in transaction: inout Transaction
    ) throws -> (own: [String], observers: [DerivedObserver])? {
        let description: ExpressionDescription
        do {
            description = try transaction.expressions
                .describe(expression: attribute.expression, of: model.table, as: model.singular)
        } catch let error as DionysusError where error.isOfStatement {
            faults.append("its SQL can't be evaluated: \(error.message)")
            return nil
        }
        faults += self.faults(of: description, attribute)
        let known = try transaction.describe(table: model.table)?.columns.map(\.name) ?? []
        let expression = try ReadExpression(model, attribute, description, columns: known, links: map.links) {
            table,
            columns in
            let declared = names[table] ?? table
            let known = try transaction.describe(table: declared)?.columns.map(\.name) ?? []
            return (declared, columns.filter(known.contains))
        }
        let leads = publication.leads(to: model)
        let observers = expression.reads.sorted { $0.key < $1.key }
            .compactMap { table, columns -> DerivedObserver? in
                if recordedByApplication.contains(table) {
                    faults.append(
                        "it reads \(table), whose changes the application records and no trigger sees: capture them by triggers"
                    )
                    return nil
                }
                let ways = ways(from: table, expression, &faults)
                return DerivedObserver(
                    model: model,
                    attribute: attribute.name,
                    table: table,
                    columns: columns.sorted(),
                    ways: ways.flatMap { way in leads.map { way + $0 } }
                )
            }
        return (expression.own.sorted(), observers)
    }

    private func faults(of description: ExpressionDescription, _ attribute: SQLAttribute) -> [String] {
        let unpredictable = description.unpredictable.map {
            "its SQL uses \($0), whose value changes although no row does: compute it in the application, or where it is read"
        }
        guard attribute.reads.isEmpty else { return unpredictable }
        return unpredictable
            + description.opaque.map {
                "its SQL uses \($0), and what that reads isn't known: declare it with `reading:`"
            }
    }

    private func ways(
        from table: String,
        _ expression: ReadExpression,
        _ faults: inout [String]
    ) -> [[AssociationHop]] {
        let written = expression.attribute.via.filter { $0.hops.last?.otherTable == table }
        guard written.isEmpty else { return written.map(\.reversedHops) }
        let found = map.ways(from: table, expression)
        let ways = expression.begin(found, atAllOf: table) ? found : []
        let place = "\(table), and \(ways.isEmpty ? "nothing tells" : "too many ways tell")"
        guard ways.isEmpty || ways.count > TableMap.maximum else { return ways }
        let possible = map.connections(from: table, to: expression.model.table).map { "\($0)" }
        faults.append(
            "it reads \(place) which \(expression.model) records a row belongs to: compare the columns of a foreign key or "
                + "association by `=`, or write the way from \(expression.model) to \(table) as `via:`"
                + (possible.isEmpty ? "" : "; \(possible.joined(separator: " and ")) would be one")
        )
        return []
    }
}

extension Registry.Publication {
    /// The ways from a model to the records that are published: none to walk, or back from a part.
    fileprivate func leads(to model: ModelDescription) -> [[AssociationHop]] {
        (model == self.model ? [[]] : []) + dependencies.filter { $0.target == model }.map(\.reversedHops)
    }
}

/// An expression with what it reads, by the names that the declaration has for tables.
struct ReadExpression {
    let model: ModelDescription
    let attribute: SQLAttribute
    /// The columns of the record's own row.
    let own: Set<String>
    /// The columns of other rows, by table.
    let reads: [String: Set<String>]
    /// The texts in which columns are compared.
    private let texts: [SQLTokens]
    /// The names of views that are read.
    private let views: [String]
    /// The columns by which rows belong to others.
    private let links: Set<SQLTokens.Pair>

    init(
        _ model: ModelDescription,
        _ attribute: SQLAttribute,
        _ description: ExpressionDescription,
        columns: [String],
        links: Set<SQLTokens.Pair>,
        _ declared: (String, [String]) throws -> (table: String, columns: [String])
    ) throws {
        self.model = model
        self.attribute = attribute
        self.links = links
        own = Set(description.ownColumns.filter(columns.contains))
        var reads: [String: Set<String>] = [:]
        let all = description.reads.map { ($0.table, $0.columns) } + attribute.reads.map { ($0.table, $0.columns) }
        for (table, columns) in all {
            let (table, columns) = try declared(table, columns)
            reads[table, default: []].formUnion(columns)
        }
        self.reads = reads
        texts = ([attribute.expression] + description.definitions.map(\.value)).map { SQLTokens($0) }
        views = description.definitions.map(\.key)
    }

    /// Whether rows of a table are joined to others by a step: the columns of both are read, and compared.
    func joins(_ hop: AssociationHop, from table: String, to target: Set<String>) -> Bool {
        guard let source = reads[table], source.isSuperset(of: hop.sourceColumns),
            target.isSuperset(of: hop.targetColumns)
        else { return false }
        let pair = SQLTokens.Pair(hop.column, hop.otherColumn)
        return texts.contains { $0.comparisons(of: pair, row: model.singular, links: links) > 0 }
    }

    /// Whether each place that names a table can be one that a way begins at: a table that is read once for the record and
    /// once for all has fewer comparisons than places.
    func begin(_ ways: [[AssociationHop]], atAllOf table: String) -> Bool {
        let names = [table.split(separator: ".").last.map(String.init) ?? table] + views
        let places = names.map { name in texts.reduce(0) { $0 + $1.references(to: name) } }.max() ?? 0
        let pairs = Set(ways.compactMap(\.first).map { SQLTokens.Pair($0.column, $0.otherColumn) })
        let comparisons = pairs.reduce(0) { count, pair in
            count + texts.reduce(0) { $0 + $1.comparisons(of: pair, row: model.singular, links: links) }
        }
        return places <= max(1, comparisons)
    }
}
