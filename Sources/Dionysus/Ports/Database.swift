/// A database: a pool of connections, transactions with synchronous bodies, and a catalogue.
///
/// A transaction's body can't `await`, so nothing holds a transaction open while it waits. The only exception, the
/// relay's lane, has its own interface: ``lease(_:idleTimeout:)``.
public protocol Database: Sendable {
    /// The SQL dialect of this database.
    var dialect: any SQLDialect { get }

    /// The database's address for messages; without user, password or other secrets.
    var location: String { get }

    /// Runs a transaction: commits when the body returns, rolls back when it throws.
    ///
    /// - Parameters:
    ///   - kind: Whether the transaction writes, or reads one consistent snapshot.
    ///   - body: The statements. It runs on the connection's own thread and never twice.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, and ``DionysusError``: `databaseUnavailable` (retriable) when the connection
    ///   can't be made or is lost, even if the commit's outcome is unknown; `transactionConflict` (retriable) after a
    ///   deadlock, a serialization failure or a busy timeout; `timeout` (retriable) after a statement timeout.
    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T

    /// Takes a lock that is held until it is released, the process dies or the connection is lost.
    ///
    /// PostgreSQL holds a transaction open that has locked a row; SQLite locks a file and holds no transaction.
    /// - Parameters:
    ///   - resource: What is locked.
    ///   - idleTimeout: How long the lease may be idle before the server ends it.
    /// - Returns: The lease, or nil if the lock is held elsewhere.
    /// - Throws: ``DionysusError`` as for ``transaction(_:_:)``.
    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)?

    /// Takes a lock and runs statements under it, in one round trip if the database supports it.
    /// - Parameters:
    ///   - resource: What is locked.
    ///   - idleTimeout: How long the lease may be idle before the server ends it.
    ///   - statements: The statements, which must do no harm if the lock isn't obtained.
    /// - Returns: The lease and a result per statement, or nil if the lock is held elsewhere.
    /// - Throws: ``DionysusError`` as for ``transaction(_:_:)``.
    func lease(
        _ resource: LeasedResource,
        idleTimeout: Duration,
        running statements: [SQL]
    ) async throws -> (lease: any Lease, results: [ResultSet])?

    /// Closes all connections after running work has ended.
    func close() async
}

extension Database {
    public func lease(
        _ resource: LeasedResource,
        idleTimeout: Duration,
        running statements: [SQL]
    ) async throws -> (lease: any Lease, results: [ResultSet])? {
        guard let lease = try await lease(resource, idleTimeout: idleTimeout) else { return nil }
        do {
            return (lease, try await lease.perform { try $0.run(statements) })
        } catch {
            await lease.abandon()
            throw error
        }
    }
}

/// The kind of a transaction.
public enum TransactionKind: Sendable, Hashable {
    /// Reads and writes. Every statement sees what was committed before it.
    case write
    /// Reads only. All statements see the same snapshot.
    case snapshot
}

/// What a lease locks.
public struct LeasedResource: Sendable {
    /// The name of the lock: letters, digits and dashes.
    public var name: String
    /// A query that locks one row, and returns none when another transaction has it (`FOR UPDATE SKIP LOCKED`).
    ///
    /// Used by databases whose locks are rows.
    public var lockingQuery: SQL

    /// Creates a resource.
    /// - Parameters:
    ///   - name: The name of the lock: letters, digits and dashes.
    ///   - lockingQuery: A query that locks one row and returns it, or returns none.
    package init(name: String, lockingQuery: SQL) {
        self.name = name
        self.lockingQuery = lockingQuery
    }
}

/// A lock that is held across a send to the broker.
public protocol Lease: Sendable {
    /// Runs statements under the lock.
    ///
    /// On PostgreSQL they belong to the transaction that holds the lock and are committed when it is released; on
    /// SQLite each call is a separate transaction. After an error the lease can only be abandoned.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, and ``DionysusError`` as for a transaction; `databaseUnavailable` means that
    ///   the lock may be lost.
    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T

    /// Runs the last statements, commits everything and releases the lock.
    /// - Returns: What the body returns.
    /// - Throws: As ``perform(_:)``.
    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T

    /// Runs the last statements, commits, takes the lock again and runs more statements, if possible in one round trip.
    ///
    /// Others may take the lock in between; then the lease has ended. It also ends if it can't be renewed.
    /// - Parameters:
    ///   - last: The last statements, none of which needs the result of another.
    ///   - next: The statements under the lock, which must do no harm if the lock isn't obtained.
    /// - Returns: A result for each of the last statements, and one for each of the next; nil if the lease has ended.
    /// - Throws: As ``perform(_:)``.
    func renew(ending last: [SQL], running next: [SQL]) async throws -> (last: [ResultSet], next: [ResultSet]?)

    /// Releases the lock and rolls back what was not committed.
    func abandon() async
}

extension Lease {
    public func renew(ending last: [SQL], running next: [SQL]) async throws -> (last: [ResultSet], next: [ResultSet]?) {
        (try await release { try $0.runLast(last) }, nil)
    }
}
