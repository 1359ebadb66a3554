import Dionysus
import DionysusPostgres
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PostgresLeaseTests {
    @Test func `A lease that stands idle too long is lost, and says so`() async throws {
        try await withLock { database, resource, table in
            let lease = try #require(try await database.lease(resource, idleTimeout: .milliseconds(50)))
            try await waitForLock(on: table, in: database)
            let error = await #expect(throws: DionysusError.self) { try await lease.perform { try $0.run("SELECT 1") } }
            #expect(error?.code == .databaseUnavailable)
            await lease.abandon()
        }
    }

    @Test func `What a lease could not begin after it was renewed does not undo what it had ended`() async throws {
        try await withLock { database, resource, table in
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(600)))
            let (_, next) = try await lease.renew(
                ending: ["UPDATE \(identifier: table) SET n = 1"],
                running: ["SELECT * FROM no_such_table"]
            )
            #expect(next == nil)
            let n = try await database.transaction(.snapshot) {
                try $0.run("SELECT n FROM \(identifier: table)").first?.integer(0)
            }
            #expect(n == 1)
            let again = try #require(try await database.lease(resource, idleTimeout: .seconds(600)))
            await again.abandon()
        }
    }

    @Test func `A lease that nobody keeps is given back`() async throws {
        try await withLock { database, resource, table in
            do {
                let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(600)))
                try await lease.perform { transaction in
                    _ = try transaction.run("UPDATE \(identifier: table) SET n = 1")
                }
            }
            try await waitForLock(on: table, in: database)
            let n = try await database.transaction(.snapshot) {
                try $0.run("SELECT n FROM \(identifier: table)").first?.integer(0)
            }
            #expect(n == 0)
        }
    }

    @Test func `What was done under an abandoned lease is undone`() async throws {
        try await withLock { database, resource, table in
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(600)))
            _ = try await lease.perform { try $0.run("UPDATE \(identifier: table) SET n = 1") }
            await lease.abandon()
            let n = try await database.transaction(.snapshot) {
                try $0.run("SELECT n FROM \(identifier: table)").first?.integer(0)
            }
            #expect(n == 0)
        }
    }

    @Test func `Leases don't take the connections of transactions`() async throws {
        var options = PostgresOptions(maxConnections: 1)
        options.maxLeases = 1
        options.acquireTimeout = .milliseconds(20)
        try await withLock(options) { database, resource, table in
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(600)))
            _ = try await database.transaction(.write) { try $0.run("SELECT 1") }
            let error = await #expect(throws: DionysusError.self) {
                try await database.lease(resource, idleTimeout: .seconds(600))
            }
            #expect(error?.code == .databaseUnavailable)
            await lease.abandon()
        }
    }

    private func withLock(
        _ options: PostgresOptions = PostgresOptions(),
        _ body: (PostgresDatabase, LeasedResource, String) async throws -> Void
    ) async throws {
        let database = try SharedDatabase.open(options)
        let table = "locks_\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        _ = try await database.transaction(.write) { transaction in
            try transaction.run([
                "CREATE TABLE \(identifier: table) (id bigint PRIMARY KEY, n bigint)",
                "INSERT INTO \(identifier: table) VALUES (1, 0)",
            ])
        }
        let query: SQL = "SELECT id FROM \(identifier: table) FOR UPDATE SKIP LOCKED"
        try await body(database, LeasedResource(name: table, lockingQuery: query), table)
        await database.close()
    }

    /// Waits in the server until nobody else holds the row.
    private func waitForLock(on table: String, in database: PostgresDatabase) async throws {
        _ = try await database.transaction(.write) { transaction in
            try transaction.run("SELECT id FROM \(identifier: table) FOR UPDATE")
        }
    }
}
