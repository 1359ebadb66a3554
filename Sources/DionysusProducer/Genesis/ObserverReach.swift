import Dionysus

/// Records that are reached from observed ones: the way, and where it begins.
struct ObserverReach: Sendable, Hashable {
    /// The observed model's table and its primary key.
    var table: String
    var primaryKey: String
    var keyType: DatabaseType
    /// The observed records.
    var ids: [String]
    /// The way to the records, at least one step.
    var hops: [AssociationHop]

    init(_ expansion: Expansion, observedIDs: [String]) {
        table = expansion.observation.model.table
        primaryKey = expansion.observation.model.primaryKey
        keyType = expansion.observedKeyType
        ids = observedIDs
        hops = expansion.observation.association.hops
    }

    /// A condition on the records under the alias `t`; however many ways lead to a record, it is met once.
    func sql(dialect: any SQLDialect) -> SQL {
        var from: SQL = "\(identifier: table) o0"
        var conditions: [SQL] = []
        for (index, hop) in hops.enumerated() {
            let isLast = index == hops.count - 1
            let (source, target) = (SQL(raw: "o\(index)"), SQL(raw: isLast ? "t" : "o\(index + 1)"))
            if let condition = hop.condition {
                let side = condition.side == .source ? source : target
                conditions.append("\(side).\(identifier: condition.column) = \(condition.value)")
            }
            if !isLast {
                from +=
                    " JOIN \(identifier: hop.otherTable) \(target) ON \(target).\(identifier: hop.otherColumn) = \(source).\(identifier: hop.column)"
            }
        }
        let keys = ids.map { DatabaseValue(primaryKey: $0, type: keyType) }
        conditions.append(dialect.isAny("o0.\(identifier: primaryKey)", of: keys, type: keyType))
        // Conditions on `t` may stand inside, too: the query is correlated then.
        return """
            t.\(identifier: hops.last?.otherColumn ?? "") IN (
              SELECT \(raw: "o\(hops.count - 1)").\(identifier: hops.last?.column ?? "") FROM \(from)
              WHERE \(conditions.joined(separator: " AND "))
            )
            """
    }
}

extension ObserverReach {
    /// As the run's row keeps it.
    var json: JSON {
        .object([
            "table": .string(table), "primary_key": .string(primaryKey), "key_type": .string(keyType.rawValue),
            "ids": .array(ids.map(JSON.string)), "hops": .array(hops.map(\.json)),
        ])
    }

    init(json: JSON) {
        table = json["table"]?.text(or: nil) ?? ""
        primaryKey = json["primary_key"]?.text(or: nil) ?? ""
        keyType = json["key_type"]?.text(or: nil).flatMap(DatabaseType.init(rawValue:)) ?? .text
        ids = json["ids"]?.elements.compactMap { $0.text(or: nil) } ?? []
        hops = json["hops"]?.elements.compactMap(AssociationHop.init(json:)) ?? []
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
