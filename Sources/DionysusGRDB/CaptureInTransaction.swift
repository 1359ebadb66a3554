public import Dionysus
public import DionysusProducer
import DionysusSQLite
public import GRDB

extension OutboxRecorder {
    /// A recorder for records of GRDB.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - tables: The names of the outbox's tables.
    public static func forSQLite(_ registry: Registry, tables: OutboxTables = OutboxTables()) -> OutboxRecorder {
        OutboxRecorder(registry, support: SQLiteDatabase.outboxSupport(tables), dialect: SQLiteDialect())
    }
}

extension GRDB.Database {
    /// Leaves the changes of a part of a transaction out of the outbox.
    /// - Parameter body: The part.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws; ``/Dionysus/DionysusError`` when nothing has been migrated or foreign keys are
    ///   not enforced.
    public func withoutCapture<T>(_ body: () throws -> T) throws -> T {
        try marked({ try $0.suppressCapture() }, body)
    }

    /// Gives the rows that a part of a transaction writes into the outbox a trace context.
    /// - Parameters:
    ///   - traceparent: The W3C header of that name.
    ///   - tracestate: The W3C header of that name, or nil for none.
    ///   - body: The part.
    /// - Returns: What the body returns.
    /// - Throws: As ``withoutCapture(_:)``.
    public func withTraceContext<T>(
        traceparent: String,
        tracestate: String? = nil,
        _ body: () throws -> T
    ) throws -> T {
        try marked({ try $0.setTraceContext(traceparent: traceparent, tracestate: tracestate) }, body)
    }

    func withTransaction<T>(_ body: (inout Transaction) throws -> T) throws -> T {
        var transaction = SQLiteDatabase.transaction(on: self)
        return try body(&transaction)
    }

    private func marked<T>(_ mark: (inout Transaction) throws -> Void, _ body: () throws -> T) throws -> T {
        guard isInsideTransaction else {
            throw DionysusError(
                .application,
                "there is no transaction",
                advice: "use write, inTransaction or inSavepoint of GRDB"
            )
        }
        try withTransaction(mark)
        let result = Result(catching: body)
        // After an error that ended the transaction, the mark went with it.
        if isInsideTransaction { try withTransaction { _ = try $0.run(SQLiteDatabase.endOfMark) } }
        return try result.get()
    }
}
