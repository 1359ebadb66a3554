import Dionysus

/// Values that don't look like those of their columns, of which the database has the last word: a column may have kept
/// fewer digits, or writes the same value in another way.
struct ColumnDoubts {
    /// A cell of a replica.
    struct Cell: Hashable {
        let table: Int
        let id: DatabaseValue
        let slot: Int
    }

    private struct Column: Hashable {
        let table: Int
        let slot: Int
    }

    private var values: [Column: [(id: DatabaseValue, value: DatabaseValue)]] = [:]

    mutating func add(_ change: RowChange, _ table: Int, _ slots: [Int]) {
        guard let new = change.new else { return }
        for slot in slots { values[Column(table: table, slot: slot), default: []].append((change.id, new[slot])) }
    }

    /// The cells that really differ: a query for each column.
    func confirmed(_ set: WorkingSet, in transaction: inout Transaction) throws -> Set<Cell> {
        var confirmed: Set<Cell> = []
        for (column, cells) in values.sorted(by: { ($0.key.table, $0.key.slot) < ($1.key.table, $1.key.slot) }) {
            let layout = set.tables[column.table].layout
            let statement = Self.statement(layout.table, layout.columns[column.slot], cells, transaction.dialect)
            do {
                for row in try transaction.savepoint({ try $0.run(statement) }).rows {
                    let cell = cells[Int(try row.integer(0) ?? 0)]
                    confirmed.insert(Cell(table: column.table, id: cell.id, slot: column.slot))
                }
            } catch let error as DionysusError where !error.isRetriable {
                // A value that the column can't hold is none that it holds.
                for cell in cells { confirmed.insert(Cell(table: column.table, id: cell.id, slot: column.slot)) }
            }
        }
        return confirmed
    }

    private static func statement(
        _ table: ReplicaTable,
        _ column: ReplicaColumn,
        _ cells: [(id: DatabaseValue, value: DatabaseValue)],
        _ dialect: any SQLDialect
    ) -> SQL {
        let columns = [
            BulkColumn("place", .integer, cells.indices.map { .integer(Int64($0)) }),
            BulkColumn("id", table.id.type, cells.map(\.id)),
            BulkColumn("held", column.type, cells.map(\.value)),
        ]
        let id = dialect.assignable("v.id", to: table.id.description)
        let differs = dialect.differs("r.\(identifier: column.name)", from: "v.held", in: column.description)
        return """
            SELECT v.place FROM \(dialect.lookupRows(columns, alias: "v"))
            JOIN \(identifier: table.name) r ON r.\(identifier: table.id.name) = \(id) WHERE \(differs)
            """
    }
}
