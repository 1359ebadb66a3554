public import Dionysus
package import GRDB
import GRDBSQLite
import PrivateFiles

/// An SQLite database in a file, shared with any other program that writes to it.
///
/// Timestamps are ISO 8601 text in UTC with microseconds, UUIDs lowercase text, booleans 0 and 1. A decimal number is
/// bound as text, which a column of type `NUMERIC` or `DECIMAL` turns into a number: SQLite keeps 15 digits of it.
public final class SQLiteDatabase: CapturingDatabase {
    private let pool: DatabasePool
    private let path: String
    private let laneLocks: LaneLocks
    /// The file that was opened.
    private let file: FileIdentity?

    /// Opens a database, and creates the file and its directory if they are missing, for this user alone (0600, 0700).
    /// - Parameters:
    ///   - path: The file.
    ///   - options: Durability and timeouts.
    /// - Throws: ``/Dionysus/DionysusError`` with code `databaseUnavailable` when the file can't be opened or is no
    ///   SQLite database.
    public init(path: String, options: SQLiteOptions = SQLiteOptions()) throws {
        guard options.outbox.schema == nil else {
            throw DionysusError(
                .configuration,
                "the outbox is set to be \(options.outbox.path), and SQLite at \(path) has no schemas",
                advice: "name the table alone"
            )
        }
        captureSupport = CaptureSupport(outbox: SQLiteOutbox(tables: options.outbox)) { onChange in
            DataVersionWatch(path: path, onChange: onChange)
        }
        let version = Int(sqlite3_libversion_number())
        try RequiredVersion.sqlite.require([version / 1_000_000, version / 1_000 % 1_000, version % 1_000])
        self.path = path
        laneLocks = LaneLocks(directory: path + "-lanes")
        var configuration = Configuration()
        configuration.busyMode = .timeout(options.busyTimeout / .seconds(1))
        configuration.maximumReaderCount = options.maxReaders
        configuration.label = "dionysus.sqlite"
        configuration.prepareDatabase { try ListTable.add(to: $0) }
        do {
            // SQLite gives the files that it writes beside this one the same permissions.
            try PrivateFiles.createFile(path)
            pool = try DatabasePool(path: path, configuration: configuration)
            file = FileIdentity(ofFileAt: path)
            // The pool has set NORMAL, under which a power failure may lose transactions that were committed.
            let synchronous = options.isDurable ? 2 : 1
            let isSet = try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = \(synchronous)")
                return try Int.fetchOne(database, sql: "PRAGMA synchronous") == synchronous
            }
            guard isSet else {
                throw DionysusError(.databaseUnavailable, "SQLite at \(path) does not take its durability setting")
            }
        } catch let error as DionysusError {
            throw error
        } catch {
            throw SQLiteFailure(error, at: path).error
        }
    }

    public var dialect: any SQLDialect { SQLiteDialect() }

    public var location: String { path }

    public let captureSupport: CaptureSupport

    public func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let path = path
        try requireFile()
        @Sendable func run(_ database: GRDB.Database) throws -> T {
            let connection = SQLiteConnection(database: database, path: path)
            var transaction = Transaction(on: connection)
            let result = try body(&transaction)
            try connection.removeMarker()
            return result
        }
        do {
            switch kind {
            case .write: return try await pool.write(run)
            case .snapshot: return try await pool.read(run)
            }
        } catch let error as GRDB.DatabaseError {
            throw SQLiteFailure(error, at: path).error
        }
    }

    /// The path must still lead to the file that was opened: if it was replaced, others write to the new one.
    private func requireFile() throws {
        guard let file, FileIdentity(ofFileAt: path) != file else { return }
        throw DionysusError(
            .databaseUnavailable,
            "the SQLite file at \(path) has been replaced or removed since it was opened",
            advice: "start the process again, so that it uses the file that is there now",
            isRetriable: true
        )
    }

    public func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        guard let lock = try laneLocks.lock(resource.name) else { return nil }
        return SQLiteLease(database: self, lock: lock)
    }

    public func close() async {
        do { try pool.close() } catch {
            // A connection that is still in use closes when it is given back.
        }
    }
}

extension SQLiteDatabase {
    /// The parts of the outbox that SQLite does its own way.
    package static func outboxSupport(_ tables: OutboxTables) -> any OutboxSupport { SQLiteOutbox(tables: tables) }

    /// Ends what ``Transaction/suppressCapture()`` and ``Transaction/setTraceContext(traceparent:tracestate:)`` began.
    package static var endOfMark: Dionysus.SQL { SQLiteTransactionMarker.removal }

    /// A transaction that GRDB has begun and will end.
    package static func transaction(on database: GRDB.Database) -> Transaction {
        Transaction(on: SQLiteConnection(database: database, path: database.description, hasLists: false))
    }
}

/// Durability and timeouts of an SQLite database.
public struct SQLiteOptions: Sendable {
    /// Whether a committed transaction survives a power failure (`synchronous = FULL`); true by default.
    public var isDurable = true
    /// How long to wait for another writer; 10 s by default.
    public var busyTimeout = Duration.seconds(10)
    /// How many transactions may read at once; 5 by default.
    public var maxReaders = 5
    /// The names of the outbox's tables, which have no schema here.
    public var outbox = OutboxTables()

    /// Creates options with their defaults.
    public init() {}
}
