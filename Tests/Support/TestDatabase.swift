public import Dionysus
import DionysusPostgres
import DionysusSQLite
import DionysusTesting
import Foundation

/// The databases for tests: SQLite always, PostgreSQL if `DIONYSUS_TEST_POSTGRES_URL` names a server.
public enum TestDatabaseKind: String, Sendable, CaseIterable, CustomStringConvertible {
    case sqlite
    case postgres

    public var description: String { rawValue }

    /// The available kinds.
    public static var available: [TestDatabaseKind] {
        serverURL == nil ? [.sqlite] : [.sqlite, .postgres]
    }

    static var serverURL: String? { ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"] }
}

/// An empty database that is removed after the body.
public func withTemporaryDatabase<T: Sendable>(
    _ kind: TestDatabaseKind,
    outbox: OutboxTables = OutboxTables(),
    _ body: (any CapturingDatabase) async throws -> T
) async throws -> T {
    switch kind {
    case .sqlite:
        return try await withTemporaryDirectory { directory in
            var options = SQLiteOptions()
            options.outbox = outbox
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite", options: options)
            let result = try await body(database)
            await database.close()
            return result
        }
    case .postgres:
        return try await withTemporaryPostgresURL { url in
            var options = PostgresOptions()
            options.outbox = outbox
            let database = try PostgresDatabase(url: url, options: options)
            do {
                let result = try await body(database)
                await database.close()
                return result
            } catch {
                await database.close()
                throw error
            }
        }
    }
}

/// The URL of an empty database on the test server, which is dropped after the body.
///
/// The number of concurrent tests with one is limited: each has its own connections, and the machine has few cores.
public func withTemporaryPostgresURL<T: Sendable>(_ body: (String) async throws -> T) async throws -> T {
    guard !Turnstile.isInside else { return try await withDatabaseOnServer(body) }
    await Turnstile.postgres.enter()
    do {
        let result = try await Turnstile.$isInside.withValue(true) { try await withDatabaseOnServer(body) }
        await Turnstile.postgres.leave()
        return result
    } catch {
        await Turnstile.postgres.leave()
        throw error
    }
}

/// An empty database on the test server with a text encoding, which is dropped after the body.
public func withTemporaryPostgresDatabase<T: Sendable>(
    encoding: String,
    _ body: (any CapturingDatabase) async throws -> T
) async throws -> T {
    try await withDatabaseOnServer(encoding: encoding) { url in
        let database = try PostgresDatabase(url: url)
        do {
            let result = try await body(database)
            await database.close()
            return result
        } catch {
            await database.close()
            throw error
        }
    }
}

private func withDatabaseOnServer<T: Sendable>(
    encoding: String? = nil,
    _ body: (String) async throws -> T
) async throws -> T {
    guard let serverURL = TestDatabaseKind.serverURL, var components = URLComponents(string: serverURL) else {
        throw DionysusError(.configuration, "DIONYSUS_TEST_POSTGRES_URL names no server")
    }
    let server = try PostgresDatabase(url: serverURL)
    let name = "dionysus_test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
    let options = encoding.map { " TEMPLATE template0 ENCODING '\($0)' LC_COLLATE 'C' LC_CTYPE 'C'" } ?? ""
    try await server.execute("CREATE DATABASE \(identifier: name)\(raw: options)")
    components.path = "/" + name
    do {
        let result = try await body(components.string ?? serverURL)
        try await server.execute("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await server.close()
        return result
    } catch {
        try await server.execute("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await server.close()
        throw error
    }
}

extension PostgresDatabase {
    /// Runs statements that can't be in a transaction in a session without one.
    fileprivate func execute(_ statement: SQL) async throws {
        try await outsideTransaction(statement)
    }
}

/// PostgreSQL behind PgBouncer in transaction mode, if the environment names one.
public func databaseBehindPooler() throws -> (any CapturingDatabase)? {
    try ProcessInfo.processInfo.environment["DIONYSUS_TEST_PGBOUNCER_URL"].map { try PostgresDatabase(url: $0) }
}

/// A SQLite database opened like another program would, with a limited wait for other writers.
public func sqliteDatabase(at path: String, busyTimeout: Duration) throws -> any CapturingDatabase {
    var options = SQLiteOptions()
    options.busyTimeout = busyTimeout
    return try SQLiteDatabase(path: path, options: options)
}

/// A directory that is removed after the body.
public func withTemporaryDirectory<T: Sendable>(_ body: (String) async throws -> T) async throws -> T {
    let path = NSTemporaryDirectory() + "/dionysus-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
