import Dionysus

/// The statements that write a batch's records: a few for each replica, however large the batch.
struct WriteStatements {
    /// A statement, and how many rows it has to change unless another transaction was faster.
    struct Statement {
        let sql: SQL
        let expectedRows: Int?
    }

    let set: WorkingSet
    let dialect: any SQLDialect

    /// Deletions come first and insertions last, so that what is unique may go from one record to another.
    func all() -> [Statement] {
        set.tables.flatMap { deletions(from: $0) } + set.tables.flatMap { updates(of: $0) }
            + set.tables.flatMap { insertions(into: $0) } + set.tables.flatMap { tombstones(of: $0) }
            + joins()
    }

    private func deletions(from table: WorkingSet.Table) -> [Statement] {
        let gone = table.records.filter { $0.original != nil && ($0.row == nil || $0.isNew) }
        guard !gone.isEmpty else { return [] }
        let replica = table.layout.table
        let condition = dialect.isAnyKey("\(identifier: replica.id.name)", of: gone.map(\.id), type: replica.id.type)
        return [
            Statement(sql: "DELETE FROM \(identifier: replica.name) WHERE \(condition)", expectedRows: nil)
        ]
    }

    /// Updates of rows that haven't been loaded: each only if the row's version is older, and none of its times later.
    func updatesOfOlder() -> [Statement] {
        set.tables.flatMap { table in
            updates(of: Array(table.records.indices), table) { slots in
                let times = [table.slots.createdAt, table.slots.updatedAt].compactMap(\.self)
                return slots.enumerated()
                    .compactMap { index, slot -> SQL? in
                        let column = table.layout.columns[slot]
                        let value = dialect.assignable("v.\(identifier: "c\(index)")", to: column.description)
                        if slot == table.slots.version { return "r.\(identifier: column.name) < \(value)" }
                        guard times.contains(slot) else { return nil }
                        let stored: SQL = "r.\(identifier: column.name)"
                        let isNoLater: SQL = "\(dialect.comparableTime(stored)) <= \(dialect.comparableTime(value))"
                        return "(\(isNoLater) OR \(stored) IS NULL)"
                    }
            }
        }
    }

    private func updates(of table: WorkingSet.Table) -> [Statement] {
        let changed = table.records.indices.filter { number in
            guard !table.records[number].isNew, let original = table.records[number].original,
                let row = table.records[number].row
            else { return false }
            return original != row
        }
        return updates(of: changed, table) { _ in [] }
    }

    /// - Parameter conditions: What else has to be true of a row, by the slots that are assigned.
    private func updates(
        of changed: [Int],
        _ table: WorkingSet.Table,
        _ conditions: (_ slots: [Int]) -> [SQL]
    ) -> [Statement] {
        let replica = table.layout.table
        return groups(of: changed, table)
            .map { slots, records in
                var assignments = slots.enumerated()
                    .map { index, slot -> SQL in
                        let column = table.layout.columns[slot]
                        let value = dialect.assignable("v.\(identifier: "c\(index)")", to: column.description)
                        return "\(identifier: column.name) = \(value)"
                    }
                if let updatedAt = replica.localUpdatedAt { assignments.append(assignment(of: updatedAt)) }
                let id = dialect.assignable("v.id", to: replica.id.description)
                let isRow: SQL = "r.\(identifier: replica.id.name) = \(id)"
                return Statement(
                    sql: """
                        UPDATE \(identifier: replica.name) AS r SET \(assignments.joined(separator: ", "))
                        FROM \(dialect.lookupRows(columns(of: records, slots, table), alias: "v"))
                        WHERE \(([isRow] + conditions(slots)).joined(separator: " AND "))
                        """,
                    expectedRows: records.count
                )
            }
    }

    private func insertions(into table: WorkingSet.Table) -> [Statement] {
        let new = table.records.indices.filter { table.records[$0].isNew && table.records[$0].row != nil }
        return groups(of: new, table)
            .map { slots, records in table.layout.insertion(of: columns(of: records, slots, table), slots, dialect) }
    }

    private func assignment(of column: ReplicaColumn) -> SQL {
        "\(identifier: column.name) = \(dialect.assignable(dialect.nowForAll, to: column.description))"
    }

    /// Records by the places that have been assigned to them, but for the id's.
    private func groups(of numbers: [Int], _ table: WorkingSet.Table) -> [(slots: [Int], records: [Int])] {
        guard let first = numbers.first.map({ table.records[$0].assigned }) else { return [] }
        // Nearly all records of a batch are of one kind.
        let isOne = numbers.allSatisfy { table.records[$0].assigned == first }
        let groups = isOne ? [first: numbers] : Dictionary(grouping: numbers) { table.records[$0].assigned }
        return groups.map { (slots: $0.slots.filter { $0 != table.slots.id }, records: $1) }
            .sorted { table.records[$0.records[0]].id.recordID < table.records[$1.records[0]].id.recordID }
    }

    /// The records' values as the columns `id`, `c0`, `c1` and so on.
    private func columns(of records: [Int], _ slots: [Int], _ table: WorkingSet.Table) -> [BulkColumn] {
        var columns = table.layout.bulkColumns(slots, capacity: records.count)
        for number in records {
            columns[0].values.append(table.records[number].id)
            let row = table.records[number].row
            for (index, slot) in slots.enumerated() { columns[index + 1].values.append(row?[slot] ?? .null) }
        }
        return columns
    }

    private func tombstones(of table: WorkingSet.Table) -> [Statement] {
        let changed = table.records.filter(\.hasNewDestruction)
        let replica = table.layout.table.name
        let remembered = changed.compactMap { record in record.destruction.map { (id: record.id, recency: $0.recency) }
        }
        guard !remembered.isEmpty else { return [] }
        let columns = [
            BulkColumn("id", .text, remembered.map { .text($0.id.recordID) }),
            BulkColumn("version", .integer, remembered.map(\.recency.version.databaseValue)),
            BulkColumn("record_time", .timestamp, remembered.map(\.recency.time.databaseValue)),
            BulkColumn("topic", .text, remembered.map { .text($0.recency.source.topic) }),
            BulkColumn("part", .integer, remembered.map { .integer(Int64($0.recency.source.partition)) }),
            BulkColumn("place", .integer, remembered.map { .integer($0.recency.offset) }),
            BulkColumn("written_at", .timestamp, remembered.map { .timestamp($0.recency.written) }),
        ]
        return [
            Statement(
                sql: """
                    INSERT INTO dionysus_tombstones
                      (replica, record_id, version, record_time, topic, "partition", "offset", written_at, created_at)
                    SELECT \(replica), v.id, v.version, v.record_time, v.topic, v.part, v.place, v.written_at,
                      \(dialect.nowForAll)
                    FROM \(dialect.rows(columns, alias: "v")) WHERE true
                    ON CONFLICT (replica, record_id) DO UPDATE SET version = excluded.version,
                      record_time = excluded.record_time, topic = excluded.topic, "partition" = excluded."partition",
                      "offset" = excluded."offset", written_at = excluded.written_at,
                      created_at = excluded.created_at
                    """,
                expectedRows: nil
            )
        ]
    }

    /// For each join table: removes what is not listed, then adds what is missing.
    private func joins() -> [Statement] {
        let groups = Dictionary(grouping: set.joins.values) { members in
            [members.joinTable, members.parentColumn.name, members.memberColumn.name]
        }
        return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.flatMap { _, wishes in joins(wishes) }
    }

    private func joins(_ wishes: [JoinedMembers]) -> [Statement] {
        let (table, parent, member) = (wishes[0].joinTable, wishes[0].parentColumn, wishes[0].memberColumn)
        let pairs = wishes.flatMap { wish in Set(wish.members).map { (wish.parent, $0) } }
        let listed = dialect.rows(
            [BulkColumn("p", parent.type, pairs.map(\.0)), BulkColumn("m", member.type, pairs.map(\.1))],
            alias: "v"
        )
        let parentValue = dialect.assignable("v.p", to: parent.description)
        let memberValue = dialect.assignable("v.m", to: member.description)
        let isListed: SQL = """
            j.\(identifier: parent.name) = \(parentValue) AND j.\(identifier: member.name) = \(memberValue)
            """
        let parents = dialect.isAny("j.\(identifier: parent.name)", of: wishes.map(\.parent), type: parent.type)
        return [
            Statement(
                sql: """
                    DELETE FROM \(identifier: table) AS j
                    WHERE \(parents) AND NOT EXISTS (SELECT 1 FROM \(listed) WHERE \(isListed))
                    """,
                expectedRows: nil
            ),
            Statement(
                sql: """
                    INSERT INTO \(identifier: table) (\(identifier: parent.name), \(identifier: member.name))
                    SELECT \(parentValue), \(memberValue) FROM \(listed)
                    WHERE NOT EXISTS (SELECT 1 FROM \(identifier: table) AS j WHERE \(isListed))
                    """,
                expectedRows: nil
            ),
        ]
    }
}

extension Layout {
    /// Columns for the values of records: `id`, and `c0`, `c1` and so on for slots.
    func bulkColumns(_ slots: [Int], capacity: Int) -> [BulkColumn] {
        var columns = [BulkColumn("id", table.id.type, [])]
        for (index, slot) in slots.enumerated() { columns.append(BulkColumn("c\(index)", self.columns[slot].type, [])) }
        for index in columns.indices { columns[index].values.reserveCapacity(capacity) }
        return columns
    }

    /// The statement that inserts rows.
    /// - Parameters:
    ///   - values: Those of ``bulkColumns(_:capacity:)``.
    ///   - isError: Whether a row that is there already is an error, which saves the server a look before each row.
    func insertion(
        of values: [BulkColumn],
        _ slots: [Int],
        _ dialect: any SQLDialect,
        failingOnConflicts isError: Bool = false
    ) -> WriteStatements.Statement {
        var names: [SQL] = ["\(identifier: table.id.name)"]
        var expressions = [dialect.assignable("v.id", to: table.id.description)]
        for (index, slot) in slots.enumerated() {
            let column = columns[slot]
            names.append("\(identifier: column.name)")
            expressions.append(dialect.assignable("v.\(identifier: "c\(index)")", to: column.description))
        }
        for column in [table.localCreatedAt, table.localUpdatedAt].compactMap(\.self) {
            names.append("\(identifier: column.name)")
            expressions.append(dialect.assignable(dialect.nowForAll, to: column.description))
        }
        let orNothing: SQL = isError ? "" : "ON CONFLICT (\(identifier: table.id.name)) DO NOTHING"
        // SQLite takes ON for a part of the FROM clause where no WHERE stands between.
        return WriteStatements.Statement(
            sql: """
                INSERT INTO \(identifier: table.name) (\(names.joined(separator: ", ")))
                SELECT \(expressions.joined(separator: ", "))
                FROM \(dialect.rows(values, alias: "v")) WHERE true
                \(orNothing)
                """,
            expectedRows: values[0].values.count
        )
    }
}

extension SQLDialect {
    /// The time now, as a subquery, so that the database looks at the clock once and not for each row.
    fileprivate var nowForAll: SQL { "(SELECT \(now))" }
}
