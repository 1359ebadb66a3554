import Dionysus
import DionysusSchemas

/// Creates the tables of a replica from a contract, and adds the columns that they lack.
struct ManagedTables: Sendable {
    let tables: ReplicaTables

    /// Works out the tables of the topics that are consumed.
    init(for contract: Contract, _ consumer: some Consumer, settings: ConsumerSettings) throws {
        let plan = ConsumedTopics(consumer, settings: settings)
        let factory = ModelFactory(consumer, settings)
        tables = try ReplicaTables(for: contract, settings: settings) { topic, model in
            guard plan.contains(topic) else { return nil }
            let scope = factory.scope(of: plan[topic].namespace)
            guard !factory.ignores(model, in: scope), let replica = factory.replica(of: model, in: scope),
                replica.customStorage == nil, let table = replica.table
            else { return nil }
            return ReplicaTables.Place(
                table: table,
                names: replica.columnNames(settings.columns),
                renamings: replica.renamings,
                softDeletes: replica.softDeletes
            )
        }
    }

    /// Creates what is missing.
    /// - Returns: What it did, a line each.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration`, with all faults, if a table can't be made to fit by
    ///   adding to it.
    func migrate(in transaction: inout Transaction) throws -> [String] {
        let dialect = transaction.dialect
        var changes: [String] = []
        var faults: [String] = []
        for table in tables.tables {
            guard let existing = try transaction.describe(table: table.name) else {
                try transaction.run(table.creation(dialect).map { SQL(raw: $0) })
                changes.append("created table \(table.name)")
                continue
            }
            let found = faults.count
            faults += table.faults(in: existing)
            guard faults.count == found else { continue }
            for column in table.columns where existing.column(column.name) == nil {
                try transaction.run(table.addition(of: column, dialect).map { SQL(raw: $0) })
                changes.append("added column \(column.name) to table \(table.name)")
            }
        }
        guard faults.isEmpty else {
            throw DionysusError(
                .declaration,
                "the replica's tables don't fit the contract: \(faults.joined(separator: "; "))",
                advice: "change the tables yourself; migrate only creates tables and adds columns"
            )
        }
        return changes
    }
}

extension ReplicaTables.Table {
    /// What would take more than adding columns, a line each.
    fileprivate func faults(in existing: TableDescription) -> [String] {
        columns.compactMap { column in
            guard let found = existing.column(column.name) else {
                return column.role == .id
                    ? "table \(name) has no column \(column.name), which must be unique and not null" : nil
            }
            guard let type = found.type, !column.type.accepted.contains(type) else { return nil }
            return "column \(column.name) of table \(name) is of the type \(found.declaredType), which can't hold "
                + column.type.meaning
        }
    }
}

extension ColumnType {
    /// The types of columns that hold every value of this one.
    fileprivate var accepted: Set<DatabaseType> {
        switch self {
        case .identity, .bigint, .integer, .smallint: [.integer]
        case .boolean: [.bool]
        case .double: [.double]
        case .decimal, .anyDecimal: [.decimal]
        case .text: [.text]
        case .date, .timestamp: [.timestamp, .text]
        case .json: [.json, .text]
        case .uuid: [.uuid, .text]
        case .bytes: [.bytes]
        }
    }

    fileprivate var meaning: String {
        switch self {
        case .identity, .bigint, .integer, .smallint: "whole numbers"
        case .boolean: "booleans"
        case .double: "floating-point numbers"
        case .decimal, .anyDecimal: "decimal numbers"
        case .text: "text"
        case .date: "days"
        case .timestamp: "times"
        case .json: "JSON"
        case .uuid: "UUIDs"
        case .bytes: "bytes"
        }
    }
}
