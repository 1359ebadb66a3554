/// A transaction under way.
///
/// It is lent to a synchronous body and can't be stored.
public struct Transaction: ~Copyable {
    package let connection: any DatabaseConnection

    /// Creates a transaction on an adapter's connection.
    /// - Parameter connection: The connection, on whose thread the body runs.
    public init(on connection: any DatabaseConnection) { self.connection = connection }

    /// How the database writes SQL.
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

    /// Runs several statements in one round trip where the database can, in their order.
    /// - Parameter statements: The statements, none of which needs the result of another.
    /// - Returns: A result per statement.
    /// - Throws: As ``run(_:)``; those after the failed one did not run.
    @discardableResult
    public mutating func run(_ statements: [SQL]) throws -> [ResultSet] {
        try connection.run(statements)
    }

    /// Runs the transaction's last statements, and commits in the same round trip where the database can.
    ///
    /// What the body does afterwards must not fail: it is over.
    /// - Parameter statements: The statements, none of which needs the result of another.
    /// - Returns: A result per statement.
    /// - Throws: As ``run(_:)``; nothing of the transaction lasts then.
    @discardableResult
    package mutating func runLast(_ statements: [SQL]) throws -> [ResultSet] {
        try connection.runLast(statements)
    }

    /// Runs a part that can fail on its own: what it did is undone when it throws.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, after its statements have been undone.
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

    /// Leaves the changes that this transaction makes from now on out of the outbox.
    ///
    /// For maintenance in bulk whose result consumers need not see, or get in another way, such as a genesis run.
    /// It ends with the transaction; on SQLite it lasts from here to the end of the body.
    /// - Throws: As ``run(_:)``; on SQLite also when nothing has been migrated.
    public mutating func suppressCapture() throws { try connection.suppressCapture() }

    /// Gives the rows that this transaction's changes write into the outbox from now on a trace context.
    ///
    /// It ends with the transaction.
    /// - Parameters:
    ///   - traceparent: The W3C header of that name, or nil for none.
    ///   - tracestate: The W3C header of that name, or nil for none.
    /// - Throws: As ``suppressCapture()``.
    public mutating func setTraceContext(traceparent: String?, tracestate: String? = nil) throws {
        try connection.setTraceContext(traceparent: traceparent, tracestate: tracestate)
    }

    /// Looks a table up in the catalogue, as it is in this transaction.
    /// - Parameter table: The table's name; a dot separates schema and table.
    /// - Returns: Its description, or nil if there is no such table.
    /// - Throws: As ``run(_:)``.
    public mutating func describe(table: String) throws -> TableDescription? {
        try connection.describe(table: table)
    }
}

/// An adapter's connection.
///
/// Only its own thread calls it.
public protocol DatabaseConnection: AnyObject {
    /// How the database writes SQL.
    var dialect: any SQLDialect { get }

    /// Runs statements in their order, in one round trip where the database can.
    /// - Returns: A result per statement.
    func run(_ statements: [SQL]) throws -> [ResultSet]

    /// Runs the transaction's last statements, and may commit in the same round trip.
    /// - Returns: A result per statement.
    func runLast(_ statements: [SQL]) throws -> [ResultSet]

    /// Leaves changes out of the outbox until the transaction ends.
    func suppressCapture() throws

    /// Gives rows of the outbox a trace context until the transaction ends.
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
}
