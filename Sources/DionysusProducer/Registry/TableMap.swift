import Dionysus

/// The ways between tables along foreign keys and associations.
struct TableMap {
    /// How many ways from one table there may be.
    static let maximum = 8
    private static let longest = 4

    /// The steps away from each table.
    private let steps: [String: [AssociationHop]]
    /// The columns that the steps compare.
    let links: Set<SQLTokens.Pair>
    /// What each column refers to.
    private let references: [Column: Set<Column>]

    private struct Column: Hashable {
        let table: String
        let name: String
    }

    init(_ keys: [ForeignKey], _ associations: [AssociationDescription]) {
        var steps: [String: [AssociationHop]] = [:]
        var references: [Column: Set<Column>] = [:]
        func add(_ hop: AssociationHop, from table: String) {
            steps[table, default: []].append(hop)
            steps[hop.otherTable, default: []].append(hop.reversed(to: table))
            guard hop.condition == nil else { return }
            let (source, target) = (
                Column(table: table, name: hop.column), Column(table: hop.otherTable, name: hop.otherColumn)
            )
            references[source, default: []].insert(target)
            references[target, default: []].insert(source)
        }
        for key in keys {
            add(
                AssociationHop(column: key.column, otherTable: key.otherTable, otherColumn: key.otherColumn),
                from: key.table
            )
        }
        for association in associations {
            var table = association.source.table
            for hop in association.hops {
                add(hop, from: table)
                table = hop.otherTable
            }
        }
        self.steps = steps.mapValues(\.withoutRepetitions)
        links = Set(steps.values.joined().map { SQLTokens.Pair($0.column, $0.otherColumn) })
        self.references = references
    }

    // MARK: Ways that an expression takes

    /// The ways from a table's rows to the records whose values they are a part of.
    ///
    /// All of them, and not the shortest alone: an expression may find rows in more than one way.
    func ways(from table: String, _ expression: ReadExpression) -> [[AssociationHop]] {
        var ways: [[AssociationHop]] = []
        walk([], at: table, past: [table], expression, &ways)
        return ways.withoutRepetitions
    }

    private func walk(
        _ way: [AssociationHop],
        at table: String,
        past: Set<String>,
        _ expression: ReadExpression,
        _ ways: inout [[AssociationHop]]
    ) {
        guard way.count < Self.longest, ways.count <= Self.maximum else { return }
        for hop in steps(from: table, expression) {
            if hop.otherTable == expression.model.table, expression.joins(hop, from: table, to: expression.own) {
                ways.append(way + [hop])
            }
            guard !past.contains(hop.otherTable), let columns = expression.reads[hop.otherTable],
                expression.joins(hop, from: table, to: columns)
            else { continue }
            walk(way + [hop], at: hop.otherTable, past: past.union([hop.otherTable]), expression, &ways)
        }
    }

    /// The steps along keys, from rows to others that refer to the same, and from other rows of the model's table to the same.
    private func steps(from table: String, _ expression: ReadExpression) -> [AssociationHop] {
        var steps = steps[table] ?? []
        let columns = expression.reads[table] ?? []
        let others = expression.reads.merging([expression.model.table: expression.own]) { $0.union($1) }
        for column in columns.sorted() {
            guard let own = references[Column(table: table, name: column)] else { continue }
            for (other, names) in others.sorted(by: { $0.key < $1.key }) {
                for name in names.sorted()
                where !(references[Column(table: other, name: name)] ?? []).isDisjoint(with: own) {
                    steps.append(AssociationHop(column: column, otherTable: other, otherColumn: name))
                }
            }
        }
        if table == expression.model.table {
            let key = expression.model.primaryKey
            steps.append(AssociationHop(column: key, otherTable: table, otherColumn: key))
        }
        return steps.withoutRepetitions
    }

    // MARK: Ways that there are

    /// The shortest ways between tables, as text, whatever an expression compares.
    func connections(from table: String, to end: String) -> [String] {
        var front: [(table: String, text: [String])] = [(table, [])]
        var seen: Set<String> = [table]
        for _ in 0..<Self.longest {
            let next = front.flatMap { place in
                (steps[place.table] ?? [])
                    .map { hop in
                        (
                            table: hop.otherTable,
                            text: ["\(hop.otherTable).\(hop.otherColumn) = \(place.table).\(hop.column)"] + place.text
                        )
                    }
            }
            let found = next.filter { $0.table == end }
            guard found.isEmpty else { return found.map { $0.text.joined(separator: " → ") }.withoutRepetitions }
            front = next.filter { seen.insert($0.table).inserted }
        }
        return []
    }
}
