import Dionysus

/// The statements that lock and load what a batch touches: a few for each replica, however large the batch.
struct LoadStatements {
    let batch: BoundBatch
    let dialect: any SQLDialect
    /// Whether the rows are locked, because they are about to be written.
    var isLocking = true

    /// Locks that keep two transactions from deciding differently about a record that neither can see.
    /// - Parameter exclusive: The tables that this transaction locks for itself alone.
    func locks(exclusive: Set<String>) -> [SQL] {
        Set(batch.layouts.map(\.table.name)).sorted()
            .flatMap { table in
                dialect.transactionLock("dionysus:replica:\(table)", shared: !exclusive.contains(table))
            }
    }

    /// One query for each replica: the rows of the touched records, and of those that their associations may remove.
    func rows() -> [SQL] {
        zip(batch.layouts.indices, zip(batch.layouts, batch.ids))
            .map { index, touched in
                let (layout, ids) = touched
                let id: SQL = "\(identifier: layout.table.id.name)"
                // Beside alternatives, only a plain list is looked up in an index.
                let isAny = layout.foreignKeys.isEmpty ? dialect.isAnyKey : dialect.isAny
                var conditions = [isAny(id, ids, layout.table.id.type)]
                for foreignKey in layout.foreignKeys.sorted() {
                    let column = layout.columns[foreignKey]
                    let parents = parents(of: index, foreignKey)
                    conditions.append(dialect.isAny("\(identifier: column.name)", of: parents, type: column.type))
                }
                // What the data column holds is replaced, never looked at.
                let columns = layout.columns.map { column -> SQL in
                    column == layout.table.data ? "NULL AS \(identifier: column.name)" : "\(identifier: column.name)"
                }
                return """
                    SELECT \(columns.joined(separator: ", ")) FROM \(identifier: layout.table.name)
                    WHERE \(conditions.joined(separator: " OR ")) ORDER BY \(id) \(raw: isLocking ? dialect.forUpdate : "")
                    """
            }
    }

    /// The replicas that the batch creates records of, most of which will have no row.
    var growing: [Int] {
        Set(batch.events.lazy.filter { $0.record.event.change == .created }.map(\.record.table)).sorted()
    }

    /// A row if any destruction of a replica's records is remembered.
    ///
    /// Like ``tombstones(of:in:)`` it runs after the rows have been locked.
    func anyTombstone(of table: Int) -> SQL {
        """
        SELECT 1 FROM dionysus_tombstones WHERE replica = \(batch.layouts[table].table.name) ORDER BY record_id LIMIT 1
        """
    }

    /// The remembered destructions of a replica's records, above all of those that have no row.
    ///
    /// It runs after the rows have been locked: a transaction that removed one of them has ended by then, so that what
    /// it remembered is seen.
    /// - Parameter numbers: The records; in the answer each has its place among them.
    func tombstones(of numbers: [Int], in table: Int) -> SQL {
        let columns = [
            BulkColumn("id", .text, numbers.map { .text(batch.ids[table][$0].recordID) }),
            BulkColumn("place", .integer, numbers.indices.map { .integer(Int64($0)) }),
        ]
        return """
            SELECT v.place, t.version, t.record_time, t.topic, t."partition", t."offset", t.written_at
            FROM \(dialect.lookupRows(columns, alias: "v"))
            JOIN dionysus_tombstones t ON t.replica = \(batch.layouts[table].table.name) AND t.record_id = v.id
            """
    }

    private func parents(of table: Int, _ foreignKey: Int) -> [DatabaseValue] {
        var parents: Set<DatabaseValue> = []
        for event in batch.events { collect(event.record, table, foreignKey, &parents) }
        return Array(parents)
    }

    private func collect(_ record: BoundRecord, _ table: Int, _ foreignKey: Int, _ parents: inout Set<DatabaseValue>) {
        for sideload in record.sideloads {
            if case .replace(table, foreignKey, let parent, _)? = sideload.resolution { parents.insert(parent) }
            for member in sideload.records { collect(member, table, foreignKey, &parents) }
        }
    }
}

extension Destruction {
    /// Reads a row of ``LoadStatements/tombstones(of:in:)``.
    init(_ row: Row) throws {
        recency = Recency(
            version: try row.integer(1),
            time: try row.timestamp(2),
            source: TopicPartition(try row.text(3) ?? "", Int32(try row.integer(4) ?? 0)),
            offset: try row.integer(5) ?? 0,
            written: try row.timestamp(6) ?? Timestamp(microseconds: 0)
        )
    }
}

extension DatabaseValue {
    /// The id of a record as text, the same for every way in which a database may hold it.
    var recordID: String {
        switch self {
        case .integer(let value): String(value)
        case .uuid(let value): value.uuidString.lowercased()
        case .text(let value): value
        case .decimal(let value): value.description
        default: JSON(databaseValue: self).text
        }
    }
}
