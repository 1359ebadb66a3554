import Dionysus

import struct Foundation.UUID

/// One transaction of a backfill.
struct BackfillStep: Sendable {
    let table: ReplicaTable
    /// The column with the payloads; that of the ids where the application keeps the payloads elsewhere.
    let data: ReplicaColumn
    let keeping: PayloadKeeping?
    let columns: [ReplicaColumn]
    /// How the payloads name what Dionysus itself fills.
    let names: ReplicaColumnNames
    let batchSize: Int

    /// A row with the values that its columns are to get.
    private struct Change {
        let id: DatabaseValue
        var values: [Int: DatabaseValue] = [:]
    }

    private var key: String { columns.map(\.name).joined(separator: ",") }

    private var isThis: SQL { "replica = \(table.name) AND columns = \(key)" }

    /// Notes that the backfill begins, unless it has begun and not ended before.
    func begin(restarts: Bool, in transaction: inout Transaction) throws {
        guard try transaction.describe(table: "dionysus_backfills") != nil else {
            throw DionysusError(
                .declaration,
                "there is no table dionysus_backfills in the replica's database",
                advice: "run migrate"
            )
        }
        let now = transaction.dialect.now
        try transaction.run([
            "DELETE FROM dionysus_backfills WHERE \(isThis) AND (\(restarts) OR finished_at IS NOT NULL)",
            """
            INSERT INTO dionysus_backfills (replica, columns, examined, assigned, absent, refused, refused_ids,
              started_at, updated_at)
            VALUES (\(table.name), \(key), 0, 0, 0, 0, \(DatabaseValue.json("[]")), \(now), \(now))
            ON CONFLICT (replica, columns) DO NOTHING
            """,
        ])
    }

    /// Goes over the next rows.
    /// - Returns: How far the backfill is then.
    func run(in transaction: inout Transaction) throws -> BackfillReport {
        var (report, last) = try load(in: &transaction)
        guard !report.isFinished else { return report }
        let rows = try nextRows(after: last, in: &transaction)
        let kept = try keptPayloads(of: rows, in: &transaction)
        var changes: [Change] = []
        for row in rows {
            if let change = try change(of: row, kept, &report) { changes.append(change) }
        }
        try write(changes, &report, in: &transaction)
        report.examined += rows.count
        report.isFinished = rows.count < batchSize
        let id = rows.last.map { table.id.normalized($0[0]).recordID } ?? last
        try save(report, last: id, in: &transaction)
        return report
    }

    // MARK: Progress

    /// Locks the progress, so that two runs take turns.
    private func load(in transaction: inout Transaction) throws -> (report: BackfillReport, last: String?) {
        let result = try transaction.run(
            """
            SELECT examined, assigned, absent, refused, refused_ids, last_id, finished_at
            FROM dionysus_backfills WHERE \(isThis) \(raw: transaction.dialect.forUpdate)
            """
        )
        guard let row = result.first else {
            throw DionysusError(
                .conflict,
                "the backfill of \(table.name) has been removed while it ran",
                advice: "start it again"
            )
        }
        var report = BackfillReport(table: table.name, columns: columns.map(\.name))
        report.examined = Int(try row.integer(0) ?? 0)
        report.assigned = Int(try row.integer(1) ?? 0)
        report.absent = Int(try row.integer(2) ?? 0)
        report.refused = Int(try row.integer(3) ?? 0)
        if case .array(let ids) = try JSON(parsing: (try row.text(4) ?? "[]").utf8) {
            report.refusedIDs = ids.compactMap { if case .string(let id) = $0 { id } else { nil } }
        }
        report.isFinished = !row[6].isNull
        return (report, try row.text(5))
    }

    private func save(_ report: BackfillReport, last: String?, in transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        let finished: SQL = report.isFinished ? now : "NULL"
        let ids = DatabaseValue.json(JSON.array(report.refusedIDs.map(JSON.string)).text)
        try transaction.run(
            """
            UPDATE dionysus_backfills SET examined = \(report.examined), assigned = \(report.assigned),
              absent = \(report.absent), refused = \(report.refused), refused_ids = \(ids),
              last_id = \(last.databaseValue), updated_at = \(now), finished_at = \(finished)
            WHERE \(isThis)
            """
        )
    }

    // MARK: Rows

    /// Locks the rows, so that a message that comes meanwhile is applied after the payload that was read here.
    private func nextRows(after last: String?, in transaction: inout Transaction) throws -> [Row] {
        let id: SQL = "\(identifier: table.id.name)"
        let selected = ([table.id, data] + columns).map { "\(identifier: $0.name)" as SQL }.joined(separator: ", ")
        let rest: SQL = try last.map { "WHERE \(id) > \(try idValue($0))" } ?? ""
        let result = try transaction.run(
            """
            SELECT \(selected) FROM \(identifier: table.name) \(rest)
            ORDER BY \(id) LIMIT \(batchSize) \(raw: transaction.dialect.forUpdate)
            """
        )
        return Array(result.rows)
    }

    private func idValue(_ text: String) throws -> DatabaseValue {
        try DatabaseValue.text(text).converted(to: table.id.type)
    }

    /// The payloads that the application keeps; nil where the table does.
    private func keptPayloads(
        of rows: [Row],
        in transaction: inout Transaction
    ) throws -> [DatabaseValue: JSON.Object]? {
        guard let keeping, !rows.isEmpty else { return nil }
        do {
            return try keeping.read(rows.map { table.id.normalized($0[0]) }, &transaction)
        } catch {
            throw DionysusError.ofApplication(error, "reading payloads of \(table.model) failed")
        }
    }

    private func change(
        of row: Row,
        _ kept: [DatabaseValue: JSON.Object]?,
        _ report: inout BackfillReport
    ) throws -> Change? {
        let id = table.id.normalized(row[0])
        let payload: JSON.Object
        if let kept {
            guard let found = kept[id] else {
                report.absent += 1
                return nil
            }
            payload = found
        } else {
            guard !row[1].isNull else {
                report.absent += 1
                return nil
            }
            guard case .object(let found)? = try? JSON(parsing: (try row.text(1) ?? "").utf8) else {
                report.refuse(id)
                return nil
            }
            payload = found
        }
        var change = Change(id: id)
        var isAbsent = false
        var isRefused = false
        for (index, column) in columns.enumerated() {
            guard let json = value(of: column, in: payload) else {
                isAbsent = true
                continue
            }
            guard let value = try? column.value(for: json) else {
                isRefused = true
                continue
            }
            if column.normalized(row[index + 2]) != value { change.values[index] = value }
        }
        if isAbsent { report.absent += 1 }
        if isRefused { report.refuse(id) }
        return change.values.isEmpty ? nil : change
    }

    /// What a message with the payload would assign to a column; nil if it would leave it alone.
    private func value(of column: ReplicaColumn, in payload: JSON.Object) -> JSON? {
        switch column {
        case table.createdAt: payload[names.createdAt]
        case table.updatedAt: payload[names.updatedAt]
        case table.canceledAt: payload[names.canceledAt]
        default: payload.members.last { table.column(ofPayload: $0.name) == column }?.value
        }
    }

    // MARK: Writing

    /// Writes all changes at once; if the database refuses them together, one by one.
    private func write(
        _ changes: [Change],
        _ report: inout BackfillReport,
        in transaction: inout Transaction
    ) throws {
        guard !changes.isEmpty else { return }
        if try attempt(changes, in: &transaction) {
            report.assigned += changes.count
            return
        }
        for change in changes {
            if try attempt([change], in: &transaction) {
                report.assigned += 1
            } else {
                report.refuse(change.id)
            }
        }
    }

    /// - Returns: Whether the database took the changes.
    private func attempt(_ changes: [Change], in transaction: inout Transaction) throws -> Bool {
        let statements = columns.indices.compactMap { update(of: $0, changes, transaction.dialect) }
        do {
            try transaction.savepoint { _ = try $0.run(statements) }
            return true
        } catch let error as DionysusError where error.code == .constraint || error.code == .statement {
            return false
        }
    }

    private func update(of index: Int, _ changes: [Change], _ dialect: any SQLDialect) -> SQL? {
        let own = changes.compactMap { change in change.values[index].map { (id: change.id, value: $0) } }
        guard !own.isEmpty else { return nil }
        let column = columns[index]
        let rows = dialect.rows(
            [BulkColumn("id", table.id.type, own.map(\.id)), BulkColumn("value", column.type, own.map(\.value))],
            alias: "v"
        )
        var assignments: [SQL] = [
            "\(identifier: column.name) = \(dialect.assignable("v.value", to: column.description))"
        ]
        if let updatedAt = table.localUpdatedAt {
            let now = dialect.assignable(dialect.now, to: updatedAt.description)
            assignments.append("\(identifier: updatedAt.name) = \(now)")
        }
        let id = dialect.assignable("v.id", to: table.id.description)
        return """
            UPDATE \(identifier: table.name) AS r SET \(assignments.joined(separator: ", "))
            FROM \(rows) WHERE r.\(identifier: table.id.name) = \(id)
            """
    }
}

extension BackfillReport {
    fileprivate mutating func refuse(_ id: DatabaseValue) {
        refused += 1
        if refusedIDs.count < Self.maximumRefusedIDs { refusedIDs.append(id.recordID) }
    }
}
