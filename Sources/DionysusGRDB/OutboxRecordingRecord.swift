public import Dionysus
public import DionysusProducer
public import GRDB

/// A record of GRDB whose changes are written into the outbox, in GRDB's own transaction.
///
///     struct Rental: OutboxRecordingRecord {
///         static let captureMethod = CaptureMethod.application
///         static let outbox = OutboxRecorder.forSQLite(registry)
///         …
///     }
///     try await queue.write { database in try rental.update(database) }    // is published
///
/// What is recorded is the row as the database has it before and after the change, with its defaults. Changes of many
/// rows at once (`updateAll`, `deleteAll`, SQL) call no record, and are not published.
public protocol OutboxRecordingRecord: Model, PersistableRecord, FetchableRecord {
    /// Where its changes are recorded.
    static var outbox: OutboxRecorder { get }
}

extension OutboxRecordingRecord {
    /// The model's table.
    public static var databaseTableName: String { tableName }

    /// Inserts, and records what has become of it: a row that was there is updated.
    /// - Throws: What the insertion throws; ``/Dionysus/DionysusError`` with code `application` outside of a
    ///   transaction.
    public func aroundInsert(_ database: GRDB.Database, insert: () throws -> InsertionSuccess) throws {
        try Self.requireTransaction(database)
        let old = try stored(in: database)
        let inserted = try insert()
        let new = try stored(in: database) ?? Self.stored(at: inserted.rowID, in: database)
        try record(from: old, to: new, in: database)
    }

    /// Updates, and records what has changed.
    /// - Parameters:
    ///   - database: The connection.
    ///   - columns: The updated columns.
    ///   - update: Updates the row.
    /// - Throws: As ``aroundInsert(_:insert:)``.
    public func aroundUpdate(
        _ database: GRDB.Database,
        columns: Set<String>,
        update: () throws -> PersistenceSuccess
    ) throws {
        try Self.requireTransaction(database)
        let old = try stored(in: database)
        _ = try update()
        try record(from: old, to: stored(in: database), in: database)
    }

    /// Deletes, and records it.
    /// - Throws: As ``aroundInsert(_:insert:)``.
    public func aroundDelete(_ database: GRDB.Database, delete: () throws -> Bool) throws {
        try Self.requireTransaction(database)
        let old = try stored(in: database)
        _ = try delete()
        try record(from: old, to: stored(in: database), in: database)
    }

    private static func requireTransaction(_ database: GRDB.Database) throws {
        guard !database.isInsideTransaction else { return }
        throw DionysusError(
            .application,
            "a change of model \(modelName) and its row in the outbox belong into one transaction, and there is none",
            advice: "use write, inTransaction or inSavepoint of GRDB"
        )
    }

    private func record(from old: Self?, to new: Self?, in database: GRDB.Database) throws {
        let change: RecordedChange<Self>
        switch (old, new) {
        case (nil, nil): return
        case (nil, let new?): change = .created(new)
        case (let old?, nil): change = .destroyed(old)
        case (let old?, let new?): change = .updated(from: old, to: new)
        }
        try database.withTransaction { try Self.outbox.record(change, in: &$0) }
    }

    /// The row with this record's primary key.
    private func stored(in database: GRDB.Database) throws -> Self? {
        let key = try databaseDictionary[Self.primaryKey] ?? .null
        guard !key.isNull else { return nil }
        return try Self.filter(Column(Self.primaryKey) == key).fetchOne(database)
    }

    private static func stored(at rowID: Int64, in database: GRDB.Database) throws -> Self? {
        try Self.filter(Column.rowID == rowID).fetchOne(database)
    }
}
