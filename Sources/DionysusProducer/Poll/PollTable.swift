import Dionysus

/// The table that a poll looks at, and the statements that find its records.
struct PollTable {
    /// A record that has been found, and the version of it.
    struct Found: Sendable {
        let record: PolledRecord
        /// The time in the column by which it was found, as the column has it.
        let time: String?
        /// What the database calls the row's version, if it has such a thing.
        let version: String?
    }

    let poll: PolledModel
    let plan: RecordingPlan
    private let description: TableDescription
    private let dialect: any SQLDialect
    private let keyType: DatabaseType
    private let key: SQL
    private let rowVersion: SQL?
    private let partitionColumns: [String]

    init(_ poll: PolledModel, _ plan: RecordingPlan, _ outbox: Outbox, in transaction: inout Transaction) throws {
        let model = poll.model
        guard let description = try transaction.describe(table: model.table) else {
            throw DionysusError(
                .declaration,
                "model \(model): there is no table \(model.table)",
                advice: "create it, or correct the declaration"
            )
        }
        let stored = try StoredKeys(of: model, description, in: &transaction)
        if let problem = stored?.problem { throw DionysusError(.declaration, "model \(model): \(problem)") }
        self.poll = poll
        self.plan = plan
        self.description = description
        dialect = transaction.dialect
        key = "t.\(identifier: model.primaryKey)"
        keyType =
            stored?.type ?? description.column(model.primaryKey)?.keyType(hasUUIDs: dialect.hasUUIDs) ?? .text
        rowVersion = try outbox.support.rowVersion(ofTable: model.table, alias: "t", in: &transaction)
        partitionColumns = plan.partitionKeyColumns.filter { description.column($0) != nil }
    }

    // MARK: By time

    /// Records after the position, up to the time at which the round ends.
    func advanced(_ state: PollState, column: String, limit: Int, in transaction: inout Transaction) throws -> [Found] {
        let time = try time(column)
        return try find("\(isUpTo(state, time))\(isPast(state, time))", by: time, limit: limit, in: &transaction)
    }

    /// Records before the position, of a version that hasn't been found.
    func late(
        _ state: PollState,
        column: String,
        records: SQL,
        limit: Int,
        in transaction: inout Transaction
    ) throws -> [Found] {
        guard let from = state.rereadFrom, let position = state.positionTime else { return [] }
        let time = try time(column)
        let last = time.parsed("\(position)")
        let isBefore: SQL =
            state.positionKey.map {
                "(\(time.value) < \(last) OR \(time.value) = \(last) AND \(key) <= \(DatabaseValue(primaryKey: $0, type: keyType)))"
            } ?? "\(time.value) <= \(last)"
        let isSameVersion: SQL = rowVersion.map { " AND s.version = \($0)" } ?? ""
        return try find(
            """
            \(isUpTo(state, time)) AND \(time.value) > \(time.bound(from)) AND \(isBefore) AND NOT EXISTS (
              SELECT 1 FROM \(records) s WHERE s.poll = \(poll.name) AND s.topic = ''
                AND s.record_key = \(dialect.asText(key)) AND \(time.parsed("s.version_time")) = \(time.value)\(isSameVersion))
            """,
            by: time,
            limit: limit,
            in: &transaction
        )
    }

    /// Forgets the versions that no round looks at again.
    func forgetSettled(_ state: PollState, column: String, records: SQL) throws -> SQL? {
        guard let from = state.rereadFrom else { return nil }
        let time = try time(column)
        return """
            DELETE FROM \(records) WHERE poll = \(poll.name) AND topic = ''
              AND \(time.parsed("version_time")) <= \(time.bound(from))
            """
    }

    /// A column of times, and how times are compared with it.
    private struct TimeColumn {
        let column: ColumnDescription
        let dialect: any SQLDialect

        var value: SQL { dialect.comparableTime("t.\(identifier: column.name)") }

        func bound(_ time: Timestamp) -> SQL {
            dialect.comparableTime(dialect.assignable("\(time)", to: column))
        }

        /// A time that has been read as text.
        func parsed(_ text: SQL) -> SQL {
            dialect.enforcesTypes ? "CAST(\(text) AS \(raw: column.declaredType))" : dialect.comparableTime(text)
        }
    }

    private func time(_ name: String) throws -> TimeColumn {
        TimeColumn(column: try column(name), dialect: dialect)
    }

    private func isUpTo(_ state: PollState, _ time: TimeColumn) -> SQL {
        "\(time.value) <= \(time.bound(state.roundUntil ?? state.now))"
    }

    private func isPast(_ state: PollState, _ time: TimeColumn) -> SQL {
        guard let position = state.positionTime else { return "" }
        let last = time.parsed("\(position)")
        guard let positionKey = state.positionKey else { return " AND \(time.value) > \(last)" }
        let after = DatabaseValue(primaryKey: positionKey, type: keyType)
        // The first condition is one that an index on the column serves.
        return " AND \(time.value) >= \(last) AND (\(time.value) > \(last) OR \(key) > \(after))"
    }

    // MARK: By state

    /// Records that are in neither of the two states, locked so that nobody changes them meanwhile.
    func pending(
        _ column: String,
        _ settled: [String],
        limit: Int,
        in transaction: inout Transaction
    ) throws -> [Found] {
        let column = try self.column(column)
        let state: SQL = "t.\(identifier: column.name)"
        let differs = settled.compactMap(column.value)
            .map { "\(state) <> \(dialect.assignable("\($0)", to: column))" as SQL }
        let isPending: SQL = "(\(state) IS NULL OR \(differs.joined(separator: " AND ")))"
        let lock = dialect.forUpdate.isEmpty ? "" : "\(dialect.forUpdate) OF t SKIP LOCKED"
        return try find(isPending, limit: limit, lock: lock, in: &transaction)
    }

    /// The statement that sets the state of records.
    /// - Parameters:
    ///   - former: The state that they must have; nil for any.
    ///   - time: A column that gets the current time.
    func setting(
        _ column: String,
        to state: String,
        of ids: [String],
        from former: String? = nil,
        time: String? = nil
    ) throws -> SQL {
        let column = try self.column(column)
        func value(_ text: String) throws -> SQL {
            guard let value = column.value(of: text) else { throw unfit(column) }
            return dialect.assignable("\(value)", to: column)
        }
        let time = try time.map { name -> SQL in
            let column = try self.column(name)
            return ", \(identifier: name) = \(dialect.assignable(dialect.now, to: column))"
        }
        let keys = ids.flatMap { DatabaseValue.keys($0, type: keyType, dialect) }
        let isFormer: SQL = try former.map { " AND \(identifier: column.name) = \(try value($0))" } ?? ""
        return """
            UPDATE \(identifier: description.name) SET \(identifier: column.name) = \(try value(state))\(time ?? "")
            WHERE \(dialect.isAny("\(identifier: poll.model.primaryKey)" as SQL, of: keys, type: keyType))\(isFormer)
            """
    }

    private func unfit(_ column: ColumnDescription) -> DionysusError {
        DionysusError(
            .declaration,
            "poll \(poll.name): a state is not of the type of column \(column.name), \(column.declaredType)",
            advice: "correct the state in the declaration of the poll"
        )
    }

    // MARK: All

    /// Records after the position, by their keys.
    func next(_ state: PollState, limit: Int, in transaction: inout Transaction) throws -> [Found] {
        let isPast: SQL =
            state.positionKey.map { "\(key) > \(DatabaseValue(primaryKey: $0, type: keyType))" } ?? "1 = 1"
        return try find(isPast, limit: limit, in: &transaction)
    }

    // MARK: Reading

    private func column(_ name: String) throws -> ColumnDescription {
        if let column = description.column(name) { return column }
        throw DionysusError(
            .declaration,
            "poll \(poll.name): table \(description.name) has no column \(name)",
            advice: "add it, or correct the declaration of the poll"
        )
    }

    private func find(
        _ condition: SQL,
        by time: TimeColumn? = nil,
        limit: Int,
        lock: String = "",
        in transaction: inout Transaction
    ) throws -> [Found] {
        let isVisible: SQL =
            description.column(poll.model.softDeleteColumn)
            .map { "CASE WHEN t.\(identifier: $0.name) IS NULL THEN 1 ELSE 0 END" } ?? "1"
        let partitions = partitionColumns.map { ", \(dialect.asText("t.\(identifier: $0)"))" as SQL }
        let result = try transaction.run(
            """
            SELECT \(dialect.asText(key)), \(isVisible), \(time.map { dialect.asText($0.value) } ?? "NULL"),
              \(rowVersion ?? "NULL")\(partitions.joined(separator: ""))
            FROM \(identifier: description.name) t WHERE \(key) IS NOT NULL AND \(condition)
            ORDER BY \(time.map { "\($0.value), " } ?? "" as SQL)\(key) LIMIT \(limit) \(raw: lock)
            """
        )
        return try result.rows.map { row in
            var columns: [String: String] = [:]
            for (offset, name) in partitionColumns.enumerated() { columns[name] = try row.text(4 + offset) }
            return Found(
                record: PolledRecord(id: try row.text(0) ?? "", isVisible: try row.integer(1) == 1, columns: columns),
                time: try row.text(2),
                version: try row.text(3)
            )
        }
    }
}
