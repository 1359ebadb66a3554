public import Dionysus

/// Which records a genesis run publishes.
public struct GenesisSelection: Sendable, Hashable {
    /// A column and the value that it must have.
    public struct Condition: Sendable, Hashable {
        /// The column of the model's table.
        package var column: String
        /// The value as text, read as the column's type; nil for null.
        package var value: String?

        /// Creates a condition.
        /// - Parameters:
        ///   - column: The column of the model's table.
        ///   - value: The value as text, read as the column's type; nil for null.
        public init(_ column: String, _ value: String?) {
            self.column = column
            self.value = value
        }
    }

    /// Only records whose `updated_at` is this or later.
    public var from: Timestamp?
    /// Only records whose `updated_at` is earlier than this.
    public var to: Timestamp?
    /// Only records for which all of these hold.
    package var conditions: [Condition]
    /// Only records that aren't soft-deleted.
    public var visibleOnly: Bool
    /// Only records that are reached from others.
    var reach: ObserverReach?
    /// The name of what streams them; nil for what streams all others.
    var streamer: String?
    /// What replicas are compared with, if the run is a verification.
    var verification: VerificationScope?

    /// Creates a selection.
    /// - Parameters:
    ///   - from: Only records whose `updated_at` is this or later.
    ///   - to: Only records whose `updated_at` is earlier than this.
    ///   - conditions: Only records for which all of these hold.
    ///   - visibleOnly: Only records that aren't soft-deleted.
    public init(
        from: Timestamp? = nil,
        to: Timestamp? = nil,
        where conditions: [Condition] = [],
        visibleOnly: Bool = false
    ) {
        self.from = from
        self.to = to
        self.conditions = conditions
        self.visibleOnly = visibleOnly
    }

    /// The column of `from` and `to`.
    static let timeColumn = "updated_at"
}

extension GenesisSelection {
    /// What of the selection does not fit the table, a line each.
    func faults(in table: TableDescription, dialect: any SQLDialect) -> [String] {
        var faults: [String] = []
        // Where times have no type of their own, they are kept as this library's tables keep them.
        let time = table.column(Self.timeColumn)
        let isTime = time?.type == .timestamp || time?.declaredType.uppercased() == dialect.columnType(.timestamp)
        if from != nil || to != nil, !isTime {
            faults.append(
                "table \(table.name) has no column \(Self.timeColumn) with a time, by which from and to select"
            )
        }
        if let from, let to, from >= to { faults.append("from is not before to") }
        for condition in conditions {
            guard let column = table.column(condition.column) else {
                faults.append("table \(table.name) has no column \(condition.column)")
                continue
            }
            if let text = condition.value, column.value(of: text) == nil {
                faults.append("the value for column \(column.name) is not of its type, \(column.declaredType)")
            }
        }
        return faults
    }

    /// The condition for rows of the table under the alias `t`; it begins with `AND`, or is empty.
    func sql(_ table: TableDescription, softDeleteColumn: String?, dialect: any SQLDialect) throws -> SQL {
        try throwFaults(faults(in: table, dialect: dialect), "the selection of the genesis run")
        var parts: [SQL] = []
        if let column = table.column(Self.timeColumn) {
            let time = dialect.comparableTime("t.\(identifier: column.name)")
            func bound(_ time: Timestamp) -> SQL {
                dialect.comparableTime(dialect.assignable("\(time)", to: column))
            }
            if let from { parts.append("\(time) >= \(bound(from))") }
            if let to { parts.append("\(time) < \(bound(to))") }
        }
        for condition in conditions {
            guard let column = table.column(condition.column) else { continue }
            let name: SQL = "t.\(identifier: column.name)"
            guard let value = condition.value.flatMap(column.value) else {
                parts.append("\(name) IS NULL")
                continue
            }
            let wanted = dialect.assignable("\(value)", to: column)
            parts.append(
                column.type == .timestamp
                    ? "\(dialect.comparableTime(name)) = \(dialect.comparableTime(wanted))" : "\(name) = \(wanted)"
            )
        }
        if visibleOnly, let softDeleteColumn { parts.append("t.\(identifier: softDeleteColumn) IS NULL") }
        if let reach { parts.append(reach.sql(dialect: dialect)) }
        return parts.map { " AND \($0)" as SQL }.joined(separator: "")
    }
}

extension GenesisSelection {
    /// As the run's row keeps it.
    var json: JSON {
        var object = JSON.Object()
        object["from"] = from.map { .string($0.description) }
        object["to"] = to.map { .string($0.description) }
        if !conditions.isEmpty {
            object["where"] = .array(
                conditions.map { .array([.string($0.column), $0.value.map(JSON.string) ?? .null]) }
            )
        }
        object["visible_only"] = .bool(visibleOnly)
        object["reach"] = reach?.json
        object["streamer"] = streamer.map(JSON.string)
        object["verification"] = verification?.json
        return .object(object)
    }

    /// Reads what ``json`` has written.
    init(json: JSON) {
        from = json["from"]?.text(or: nil).flatMap { Timestamp($0) }
        to = json["to"]?.text(or: nil).flatMap { Timestamp($0) }
        conditions = (json["where"]?.elements ?? [])
            .compactMap { element in
                let pair = element.elements
                guard pair.count == 2, case .string(let column) = pair[0] else { return nil }
                return Condition(column, pair[1].text(or: nil))
            }
        visibleOnly = json["visible_only"] == .bool(true)
        reach = json["reach"].map(ObserverReach.init(json:))
        streamer = json["streamer"]?.text(or: nil)
        verification = json["verification"].map(VerificationScope.init(json:))
    }
}
