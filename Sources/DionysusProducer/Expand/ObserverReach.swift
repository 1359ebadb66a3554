import Dionysus

/// Records that are reached from what has changed: where the ways begin, and where they lead.
struct ObserverReach: Sendable, Hashable {
    /// A way to the records.
    struct Way: Sendable, Hashable {
        /// The values of the column at which the way begins, as text.
        var values: [String]
        var type: DatabaseType
        /// The steps, at least one; the last leads to the records' table.
        var hops: [AssociationHop]
    }

    var ways: [Way]

    init(ways: [Way]) { self.ways = ways }

    /// Looks up where the ways begin: at primary keys, or at foreign keys as they are and as they were.
    /// - Parameters:
    ///   - rows: What has changed.
    ///   - expansions: The ways to the records of one publication.
    ///   - transaction: The transaction in which the changes are settled.
    init(_ rows: [OutboxRow], by expansions: [Expansion], in transaction: inout Transaction) throws {
        ways = []
        for expansion in expansions {
            let rows = rows.filter(expansion.applies(to:))
            guard !rows.isEmpty, !expansion.path.isEmpty else { continue }
            let values = try Self.start(expansion, rows, in: &transaction).withoutRepetitions
            ways.append(Way(values: values, type: expansion.startType, hops: expansion.path))
        }
    }

    private static func start(
        _ expansion: Expansion,
        _ rows: [OutboxRow],
        in transaction: inout Transaction
    ) throws -> [String] {
        guard let foreignKey = expansion.foreignKey else { return rows.map(\.resourceID) }
        let dialect = transaction.dialect
        let keys = rows.flatMap { DatabaseValue.keys($0.resourceID, type: expansion.keyType, dialect) }
        let column: SQL = "d.\(identifier: foreignKey)"
        let isChanged = dialect.isAny(
            "d.\(identifier: expansion.changed.primaryKey)",
            of: keys,
            type: expansion.keyType
        )
        var isOfType: SQL = ""
        if let condition = expansion.path.first?.condition, condition.side == .source {
            isOfType = " AND d.\(identifier: condition.column) = \(condition.value)"
        }
        let current = try transaction.run(
            """
            SELECT DISTINCT \(dialect.asText(column)) FROM \(identifier: expansion.changed.table) d
            WHERE \(isChanged) AND \(column) IS NOT NULL\(isOfType)
            """
        )
        let former = rows.flatMap { $0.values(of: foreignKey) }
            .flatMap { DatabaseValue.keys($0, type: expansion.startType, dialect) }
            .map(\.primaryKeyText)
        return try current.rows.compactMap { try $0.text(0) } + former
    }

    /// A condition on the records under the alias `t`, which a record meets once even if several ways lead to it.
    func sql(dialect: any SQLDialect) -> SQL {
        let conditions = ways.map { $0.sql(dialect: dialect) }
        return conditions.isEmpty ? "(1 = 0)" : "(\(conditions.joined(separator: " OR ")))"
    }
}

extension ObserverReach.Way {
    fileprivate func sql(dialect: any SQLDialect) -> SQL {
        let keys = values.flatMap { DatabaseValue.keys($0, type: type, dialect) }
        let path = PathJoin(hops, from: "") { $0 == hops.count ? "t" : "h\($0)" }
        guard let first = path.steps.first, let last = path.steps.last else { return "(1 = 0)" }
        // What the first step asks of the changed record has been looked up with the values.
        let isReached: SQL = """
            \(dialect.isAny("\(raw: first.target).\(identifier: first.hop.otherColumn)", of: keys, type: type))\
            \(first.hop.condition?.side == .target ? first.condition : "")
            """
        guard path.steps.count > 1 else { return "(\(isReached))" }
        let between = path.steps.dropFirst().dropLast().map { " \($0.sql)" as SQL }.joined(separator: "")
        // What the last step asks of the records themselves stands outside, so that the query inside stands alone.
        let isOutside = last.hop.condition?.side == .target
        return """
            (t.\(identifier: last.hop.otherColumn) IN (
              SELECT \(raw: last.source).\(identifier: last.hop.column)
              FROM \(identifier: first.hop.otherTable) \(raw: first.target)\(between)
              WHERE \(isReached)\(isOutside ? "" : last.condition)
            )\(isOutside ? last.condition : ""))
            """
    }
}

extension ObserverReach {
    /// Counts the visible records that are reached from what has changed, up to one more than a limit.
    /// - Parameters:
    ///   - rows: What has changed.
    ///   - expansions: The ways to the records of one publication, at least one.
    ///   - limit: The number above which the exact count doesn't matter.
    ///   - transaction: The transaction in which the changes are settled.
    /// - Returns: The number, at most `limit + 1`.
    static func count(
        _ rows: [OutboxRow],
        by expansions: [Expansion],
        upTo limit: Int,
        in transaction: inout Transaction
    ) throws -> Int {
        let reach = try ObserverReach(rows, by: expansions, in: &transaction)
        let visible: SQL = expansions[0].isVisible("t", transaction.dialect).map { " AND \($0)" } ?? ""
        let count = try transaction.run(
            """
            SELECT count(*) FROM (
              SELECT 1 AS one FROM \(identifier: expansions[0].publication.model.table) t
              WHERE \(reach.sql(dialect: transaction.dialect))\(visible) LIMIT \(limit + 1)
            ) reached
            """
        )
        return Int(try count.first?.integer(0) ?? 0)
    }
}

extension ObserverReach {
    /// As the run's row keeps it.
    var json: JSON {
        .array(
            ways.map { way in
                .object([
                    "values": .array(way.values.map(JSON.string)), "type": .string(way.type.rawValue),
                    "hops": .array(way.hops.map(\.json)),
                ])
            }
        )
    }

    /// Reads what ``json`` has written.
    init(json: JSON) {
        ways = json.elements.map { way in
            Way(
                values: way["values"]?.elements.compactMap { $0.text(or: nil) } ?? [],
                type: way["type"]?.text(or: nil).flatMap(DatabaseType.init(rawValue:)) ?? .text,
                hops: way["hops"]?.elements.compactMap(AssociationHop.init(json:)) ?? []
            )
        }
    }
}

extension AssociationHop {
    fileprivate var json: JSON {
        var object: JSON.Object = [
            "column": .string(column), "other_table": .string(otherTable), "other_column": .string(otherColumn),
        ]
        object["condition"] = condition.map { condition in
            .object([
                "side": .string(condition.side == .source ? "source" : "target"),
                "column": .string(condition.column), "value": .string(condition.value),
            ])
        }
        return .object(object)
    }

    fileprivate init?(json: JSON) {
        guard let column = json["column"]?.text(or: nil), let otherTable = json["other_table"]?.text(or: nil),
            let otherColumn = json["other_column"]?.text(or: nil)
        else { return nil }
        var condition: Condition?
        if let written = json["condition"], let name = written["column"]?.text(or: nil),
            let value = written["value"]?.text(or: nil)
        {
            condition = Condition(written["side"] == .string("source") ? .source : .target, name, value)
        }
        self.init(column: column, otherTable: otherTable, otherColumn: otherColumn, condition: condition)
    }
}
