public import Dionysus
import DionysusPostgres
import DionysusSQLite

import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import class Foundation.ProcessInfo
import struct Foundation.URLComponents
import struct Foundation.UUID

/// Which databases a test gets, empty at its beginning and gone at its end.
public enum ThrowAwayDatabase: Sendable, Hashable, CustomStringConvertible {
    /// Files in the directory for temporary files: SQLite's pools of connections can't share a database in memory.
    case sqlite
    /// Databases of their own on a PostgreSQL server, by the URL of one that a role which may create databases can
    /// connect to.
    case postgres(server: String)

    /// Those that can be had here: SQLite, and PostgreSQL where `DIONYSUS_TEST_POSTGRES_URL` names a server.
    ///
    ///     @Test(arguments: ThrowAwayDatabase.available)
    ///     func `a rental arrives`(_ database: ThrowAwayDatabase) async throws { … }
    public static var available: [ThrowAwayDatabase] {
        let server = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"]
        return [.sqlite] + (server.map { [.postgres(server: $0)] } ?? [])
    }

    /// The kind, without the server.
    public var description: String {
        switch self {
        case .sqlite: "SQLite"
        case .postgres: "PostgreSQL"
        }
    }

    /// What limits how many tests have such databases at a time; nil if nothing has to.
    var turnstile: Turnstile? {
        switch self {
        case .sqlite: nil
        case .postgres: .postgres
        }
    }

    /// Makes an empty database.
    func make() async throws -> TestDatabase {
        let name = "dionysus_test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        switch self {
        case .sqlite:
            let directory = NSTemporaryDirectory() + "/" + name
            var options = SQLiteOptions()
            options.isDurable = false
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite", options: options)
            return TestDatabase(database) { try FileManager.default.removeItem(atPath: directory) }
        case .postgres(let server):
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
        }
    }
}

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
