import Dionysus

import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import class Foundation.ProcessInfo
import struct Foundation.URLComponents
import struct Foundation.UUID

#if SQLite
import DionysusSQLite
#endif
#if PostgreSQL
import DionysusPostgres
#endif

/// Which databases a test gets, empty at its beginning and gone at its end.
public enum ThrowAwayDatabase: Sendable, Hashable, CustomStringConvertible {
    /// Temporary files: the connections of a SQLite pool can't share an in-memory database.
    case sqlite
    /// New databases on a PostgreSQL server; the URL names an existing database and a role that may create databases.
    case postgres(server: String)

    /// The available kinds: SQLite, and PostgreSQL if `DIONYSUS_TEST_POSTGRES_URL` names a server.
    ///
    ///     @Test(arguments: ThrowAwayDatabase.available)
    ///     func `a rental arrives`(_ database: ThrowAwayDatabase) async throws { … }
    public static var available: [ThrowAwayDatabase] {
        let server = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"]
        var available: [ThrowAwayDatabase] = []
        #if SQLite
        available.append(.sqlite)
        #endif
        #if PostgreSQL
        if let server { available.append(.postgres(server: server)) }
        #endif
        return available
    }

    /// The name of the kind, without the server.
    public var description: String {
        switch self {
        case .sqlite: "SQLite"
        case .postgres: "PostgreSQL"
        }
    }

    /// Limits the number of tests that use such databases at a time; nil for no limit.
    var turnstile: Turnstile? {
        switch self {
        case .sqlite: nil
        case .postgres: .postgres
        }
    }

    /// Creates an empty database.
    func make() async throws -> TestDatabase {
        let name = "dionysus_test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        switch self {
        case .sqlite:
            #if SQLite
            let directory = NSTemporaryDirectory() + "/" + name
            var options = SQLiteOptions()
            options.isDurable = false
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite", options: options)
            return TestDatabase(database) { try FileManager.default.removeItem(atPath: directory) }
            #else
            throw leftOut("SQLite")
            #endif
        case .postgres(let server):
            #if PostgreSQL
            guard var components = URLComponents(string: server) else {
                throw DionysusError(
                    .configuration,
                    "the URL of the PostgreSQL server for tests is invalid",
                    advice: "give it as postgres://user:password@host:port/database"
                )
            }
            components.path = "/" + name
            try await onServer(server, "CREATE DATABASE \(identifier: name)")
            var options = PostgresOptions()
            options.maxConnections = 4
            let database = try PostgresDatabase(url: components.string ?? server, options: options)
            return TestDatabase(database) {
                try await onServer(server, "DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
            }
            #else
            throw leftOut("PostgreSQL")
            #endif
        }
    }
}

#if PostgreSQL
private func onServer(_ url: String, _ statement: SQL) async throws {
    let server = try PostgresDatabase(url: url)
    do {
        try await server.outsideTransaction(statement)
    } catch {
        await server.close()
        throw error
    }
    await server.close()
}
#endif

#if !SQLite || !PostgreSQL
private func leftOut(_ trait: String) -> DionysusError {
    DionysusError(
        .configuration,
        "the test kit was built without \(trait)",
        advice: "depend on the package with its trait \(trait), or test on another database"
    )
}
#endif
