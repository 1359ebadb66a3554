public import Dionysus
public import Logging
import Tracing

/// A PostgreSQL database, directly or behind PgBouncer in transaction mode.
///
/// No state is kept in a session: no prepared statement, no setting, no listening outlives a transaction. Every
/// transaction has `TimeZone` UTC, so that a `timestamp` without a time zone is read and written as UTC.
///
/// A lost connection is made again by the next transaction that uses it; the transaction that lost it fails. When its task is
/// cancelled, a transaction's statement is cancelled on the server, and the transaction rolled back.
public final class PostgresDatabase: CapturingDatabase {
    private let pool: ConnectionPool
    private let leases: ConnectionPool
    private let target: ConnectionTarget

    public let location: String

    /// Prepares a database; the first transaction connects.
    /// - Parameters:
    ///   - url: `postgres://user:password@host:port/database?sslmode=…`, or any other connection string of libpq.
    ///   - options: Limits and timeouts.
    ///   - logger: Where lost connections are noted.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` when the URL can't be understood.
    public init(
        url: String,
        options: PostgresOptions = PostgresOptions(),
        logger: Logger = Logger(label: "dionysus.postgres")
    ) throws {
        let target = try ConnectionTarget(url: url, options: options, logger: logger)
        self.target = target
        captureSupport = CaptureSupport(outbox: PostgresOutbox(tables: options.outbox)) { [target] onChange in
            ChangeListener(target: target, outbox: options.outbox, onChange: onChange)
        }
        location = target.location
        pool = ConnectionPool(
            target: target,
            limit: options.maxConnections,
            acquireTimeout: options.acquireTimeout
        )
        leases = ConnectionPool(target: target, limit: options.maxLeases, acquireTimeout: options.acquireTimeout)
    }

    public var dialect: any SQLDialect { PostgresDialect() }

    public let captureSupport: CaptureSupport

    public func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let connection = try await pool.acquire()
        // The connection's queue is no part of the task, whose trace the body goes on with.
        let context = ServiceContext.current
        do {
            let result = try await connection.runInterruptibly { session in
                try session.begin(kind)
                do {
                    var transaction = Transaction(on: session)
                    let result = try ServiceContext.$current.withValue(context) { try body(&transaction) }
                    try session.commit()
                    return result
                } catch {
                    session.rollback()
                    throw error
                }
            }
            await pool.giveBack(connection)
            return result
        } catch {
            await pool.giveBack(connection)
            throw error
        }
    }

    /// Runs a statement that PostgreSQL does not allow in a transaction, such as `CREATE DATABASE`.
    /// - Parameter statement: The statement.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    package func outsideTransaction(_ statement: SQL) async throws {
        let connection = try await pool.acquire()
        let result = await connection.run { session in Result { try session.runOutsideTransaction(statement) } }
        await pool.giveBack(connection)
        _ = try result.get()
    }

    public func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await lease(resource, idleTimeout: idleTimeout, running: [])?.lease
    }

    public func lease(
        _ resource: LeasedResource,
        idleTimeout: Duration,
        running statements: [SQL]
    ) async throws -> (lease: any Lease, results: [ResultSet])? {
        let milliseconds = String(idleTimeout.milliseconds)
        let locking: [SQL] = [
            "SELECT set_config('idle_in_transaction_session_timeout', \(milliseconds), true)",
            resource.lockingQuery,
        ]
        let connection = try await leases.acquire()
        do {
            let results = try await connection.runInterruptibly { session -> [ResultSet]? in
                try session.begin(.write)
                let results = try session.run(locking + statements)
                guard !results[locking.count - 1].isEmpty else {
                    session.rollback()
                    return nil
                }
                return Array(results.dropFirst(locking.count))
            }
            guard let results else {
                await leases.giveBack(connection)
                return nil
            }
            return (PostgresLease(connection: connection, pool: leases, locking: locking), results)
        } catch {
            await connection.run { $0.rollback() }
            await leases.giveBack(connection)
            throw error
        }
    }

    /// Closes all connections once the current transactions have ended.
    ///
    /// A lease that is still held keeps its connection until it ends.
    public func close() async {
        await pool.close()
        await leases.close()
        await pool.drain()
    }
}

/// Limits and timeouts of a PostgreSQL database.
public struct PostgresOptions: Sendable {
    /// How many connections transactions may use at once; 10 by default.
    public var maxConnections: Int
    /// How many connections leases may use at once, beside those; 64 by default.
    public var maxLeases = 64
    /// How long to wait for a connection of the pool; 30 s by default.
    public var acquireTimeout = Duration.seconds(30)
    /// How long to wait for the server to answer a new connection, in whole seconds; 5 s by default.
    public var connectTimeout = Duration.seconds(5)
    /// How long a statement may take before the server ends it; by default when the server does.
    public var statementTimeout: Duration?
    /// The name under which the server shows the connections; `dionysus` by default.
    public var applicationName = "dionysus"
    /// The names of the outbox's tables.
    public var outbox = OutboxTables()

    /// Creates options with their defaults.
    /// - Parameter maxConnections: How many connections transactions may use at once.
    public init(maxConnections: Int = 10) { self.maxConnections = maxConnections }
}

extension Duration {
    /// Whole milliseconds, held within what PostgreSQL's settings take.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds < 2_147_483 else { return 2_147_483_647 }
        return max(0, max(seconds, -1) * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
