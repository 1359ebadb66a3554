import Dionysus

/// A chunk's records in their table, and the outbox that they are written to.
struct TableChunk: ChunkRecords {
    let runID: Int64
    let topic: String
    let publication: Registry.Publication
    let records: GenesisRecords
    let keysAfter: DatabaseValue?
    let keysUntil: DatabaseValue?
    let outbox: Outbox
    let context: OutboxContext
    /// Whether replicas are compared with the records.
    let isVerification: Bool

    private var isWanted: SQL {
        let lower: SQL = keysAfter.map { "\(records.key) > \($0) AND " } ?? ""
        let upper: SQL = keysUntil.map { "\(records.key) <= \($0)" } ?? "\(records.key) IS NOT NULL"
        return "\(lower)\(upper)\(records.condition)"
    }

    func ids(in transaction: inout Transaction) throws -> [String] {
        let result = try transaction.run(
            """
            SELECT \(outbox.dialect.asText(records.key)) FROM \(identifier: records.table) t
            WHERE \(isWanted) ORDER BY \(records.key)
            """
        )
        return try result.rows.compactMap { try $0.text(0) }
    }

    func queue(only ids: [String]?, in transaction: inout Transaction) throws -> GenesisRows {
        guard let ids else { return try insert(isWanted, in: &transaction) }
        let keys = ids.map { DatabaseValue(primaryKey: $0, type: records.keyType) }
        let isListed = outbox.dialect.isAny(records.key, of: keys, type: records.keyType)
        return try insert("\(isWanted) AND \(isListed)", in: &transaction)
    }

    private func insert(_ condition: SQL, in transaction: inout Transaction) throws -> GenesisRows {
        let dialect = outbox.dialect
        let model = publication.model
        let updated = EventName(model.singular, .updated).description
        let destroyed = EventName(model.singular, .destroyed).description
        let event: SQL =
            records.softDeleteColumn
            .map { "CASE WHEN t.\(identifier: $0) IS NULL THEN \(updated) ELSE \(destroyed) END" } ?? "\(updated)"
        let now = outbox.support.time(shiftedBy: 0)
        let createdAt = context.createdAt.map { outbox.support.storedTime("\($0)") } ?? now
        let contextColumns = SQL(raw: outbox.hasContext ? ", traceparent, tracestate, origin" : "")
        let origin = context.origin ?? (isVerification ? VerificationScope.origin(ofRun: runID) : "genesis:\(runID)")
        let contextValues: SQL =
            outbox.hasContext
            ? ", \(context.traceparent.databaseValue), \(context.tracestate.databaseValue), \(origin)" : ""
        let result = try transaction.run(
            """
            INSERT INTO \(outbox.tables.outbox)
              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(contextColumns))
            SELECT \(model.name), \(dialect.asText(records.key)), \(event), \(topic), \(records.partitionKey),
              \(createdAt), \(now)\(contextValues)
            FROM \(identifier: records.table) t WHERE \(condition) ORDER BY \(records.key)
            RETURNING id
            """
        )
        if !result.isEmpty, let wakeUp = try outbox.support.wakeUp(in: &transaction) { try transaction.run(wakeUp) }
        return GenesisRows(ids: try result.rows.compactMap { try $0.integer(0) })
    }
}

/// The records of a run as its table has them.
struct GenesisRecords: Sendable {
    let table: String
    /// The primary key under the alias `t`.
    let key: SQL
    let keyType: DatabaseType
    /// The partition key of a record's row, as text.
    let partitionKey: SQL
    let softDeleteColumn: String?
    /// What selects among the table's rows, from `AND` on.
    let condition: SQL
    /// What the range of keys is split by: a selection that finds its records by an index of its own, or all of them.
    let splitCondition: SQL

    init(
        _ publication: Registry.Publication,
        _ selection: GenesisSelection,
        in transaction: inout Transaction
    ) throws {
        let model = publication.model
        guard let description = try transaction.describe(table: model.table) else {
            throw DionysusError(
                .declaration,
                "model \(model): there is no table \(model.table)",
                advice: "create it, or correct the declaration"
            )
        }
        let dialect = transaction.dialect
        table = model.table
        key = "t.\(identifier: model.primaryKey)"
        let stored = try StoredKeys(of: model, description, in: &transaction)
        if let problem = stored?.problem { throw DionysusError(.declaration, "model \(model): \(problem)") }
        keyType =
            stored?.type ?? description.column(model.primaryKey)?.keyType(hasUUIDs: dialect.hasUUIDs) ?? .text
        partitionKey =
            publication.partitionKey.column(in: description).map { dialect.asText("t.\(identifier: $0)") }
            ?? publication.partitionKey.constant(forTopic: publication.topic).map { dialect.asText("\($0)") } ?? "NULL"
        softDeleteColumn = description.column(model.softDeleteColumn)?.name
        let scope = try selection.verification?.sql(key: key, type: keyType) ?? ""
        let selected = try selection.sql(description, softDeleteColumn: softDeleteColumn, dialect: dialect)
        condition = "\(selected)\(scope)"
        let reached: SQL = selection.reach.map { " AND \($0.sql(dialect: dialect))" } ?? ""
        splitCondition = "\(reached)\(scope)"
    }
}
