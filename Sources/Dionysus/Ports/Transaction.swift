/// A running transaction.
///
/// It is passed to a synchronous body and can't be stored.
public struct Transaction: ~Copyable {
    package let connection: any DatabaseConnection

    /// Creates a transaction on an adapter's connection.
    /// - Parameter connection: The connection, on whose thread the body runs.
    public init(on connection: any DatabaseConnection) { self.connection = connection }

    /// The SQL dialect of the database.
    public var dialect: any SQLDialect { connection.dialect }

    /// Runs one statement.
    /// - Returns: Its rows and the number of rows it changed.
    /// - Throws: ``DionysusError``: `statement`, `constraint`, `transactionConflict` or `databaseUnavailable`.
    @discardableResult
    public mutating func run(_ statement: SQL) throws -> ResultSet {
        guard let result = try connection.run([statement]).first else {
            throw DionysusError(.statement, "the database returned no result for a statement")
        }
        return result
    }

    /// Runs several statements in order, in one round trip if the database supports it.
    /// - Parameter statements: The statements; none may depend on the result of another.
    /// - Returns: A result per statement.
    /// - Throws: As ``run(_:)-(SQL)``; statements after the failed one did not run.
    @discardableResult
    public mutating func run(_ statements: [SQL]) throws -> [ResultSet] {
        try connection.run(statements)
    }

    /// Runs the transaction's last statements and commits, in one round trip if the database supports it.
    ///
    /// The body must not fail afterwards, because the transaction has ended.
    /// - Parameter statements: The statements; none may depend on the result of another.
    /// - Returns: A result per statement.
    /// - Throws: As ``run(_:)-(SQL)``; the transaction is then rolled back.
    @discardableResult
    package mutating func runLast(_ statements: [SQL]) throws -> [ResultSet] {
        try connection.runLast(statements)
    }

    /// Runs queries as the transaction's last statements, and gives up when their results become too large.
    /// - Parameters:
    ///   - statements: The queries; none may depend on the result of another.
    ///   - size: The size in memory that the results may have together, in bytes; nil for any.
    /// - Returns: A result per query; nil if they are larger, and nothing more can be run.
    /// - Throws: As ``run(_:)-(SQL)``.
    package mutating func runLast(_ statements: [SQL], upTo size: Int?) throws -> [ResultSet]? {
        guard let size else { return try connection.runLast(statements) }
        return try connection.runLast(statements, upTo: size)
    }

    /// Runs statements in a savepoint, which is rolled back if the body throws.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, after its statements have been rolled back.
    public mutating func savepoint<T>(_ body: (inout Transaction) throws -> T) throws -> T {
        _ = try connection.run([SQL(raw: "SAVEPOINT dionysus")])
        do {
            let result = try body(&self)
            _ = try connection.run([SQL(raw: "RELEASE SAVEPOINT dionysus")])
            return result
        } catch {
            _ = try connection.run([
                SQL(raw: "ROLLBACK TO SAVEPOINT dionysus"), SQL(raw: "RELEASE SAVEPOINT dionysus"),
            ])
            throw error
        }
    }

    /// Suppresses capture for the transaction's changes from now on.
    ///
    /// Use it for bulk maintenance whose result consumers don't need, or get in another way, such as a genesis run. It
    /// ends with the transaction; on SQLite it lasts until the end of the body.
    /// - Throws: As ``run(_:)-(SQL)``; on SQLite also if nothing has been migrated.
    public mutating func suppressCapture() throws { try connection.suppressCapture() }

    /// Sets the trace context of the transaction's outbox rows from now on.
    ///
    /// It ends with the transaction.
    /// - Parameters:
    ///   - traceparent: The W3C header of that name, or nil for none.
    ///   - tracestate: The W3C header of that name, or nil for none.
    /// - Throws: As ``suppressCapture()``.
    public mutating func setTraceContext(traceparent: String?, tracestate: String? = nil) throws {
        try connection.setTraceContext(traceparent: traceparent, tracestate: tracestate)
    }

    /// Looks a table up in the catalogue, as seen by this transaction.
    /// - Parameter table: The table's name; a dot separates schema and table.
    /// - Returns: Its description, or nil if there is no such table.
    /// - Throws: As ``run(_:)-(SQL)``.
    package mutating func describe(table: String) throws -> TableDescription? {
        try connection.describe(table: table)
    }
}

/// An adapter's connection.
///
/// Only its own thread calls it.
public protocol DatabaseConnection: AnyObject {
    /// The SQL dialect of the database.
    var dialect: any SQLDialect { get }

    /// Runs statements in order, in one round trip if the database supports it.
    /// - Returns: A result per statement.
    func run(_ statements: [SQL]) throws -> [ResultSet]

    /// Runs the transaction's last statements, and may commit in the same round trip.
    /// - Returns: A result per statement.
    func runLast(_ statements: [SQL]) throws -> [ResultSet]

    /// Runs queries as the last statements of a transaction that only reads, and gives up when their results become too
    /// large.
    ///
    /// The default implementation knows no limit.
    /// - Returns: A result per statement; nil if they take more than `size` bytes in memory, and nothing more can be run.
    func runLast(_ statements: [SQL], upTo size: Int) throws -> [ResultSet]?

    /// Suppresses capture until the transaction ends.
    func suppressCapture() throws

    /// Sets the trace context of outbox rows until the transaction ends.
    /// - Parameters:
    ///   - traceparent: The W3C header of that name, or nil for none.
    ///   - tracestate: The W3C header of that name, or nil for none.
    func setTraceContext(traceparent: String?, tracestate: String?) throws

    /// Looks a table up in the catalogue.
    /// - Parameter table: The table's name; a dot separates schema and table.
    /// - Returns: Its description, or nil if there is no such table.
    func describe(table: String) throws -> TableDescription?
}

extension DatabaseConnection {
    public func runLast(_ statements: [SQL]) throws -> [ResultSet] { try run(statements) }
    public func runLast(_ statements: [SQL], upTo size: Int) throws -> [ResultSet]? { try runLast(statements) }
}
