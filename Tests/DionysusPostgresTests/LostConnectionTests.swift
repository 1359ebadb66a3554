import Dionysus
import DionysusPostgres
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct LostConnectionTests {
    @Test func `A transaction whose connection is killed fails, and the next one works`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.run("CREATE TABLE IF NOT EXISTS unfinished (id bigint)")
                try transaction.run("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.isRetriable == true)
        let found = try await database.transaction(.write) { try $0.describe(table: "unfinished") }
        #expect(found == nil)
        await database.close()
    }

    @Test func `A connection that was killed while nobody used it is replaced without an error`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let other = try SharedDatabase.open()
        let victim = try await database.transaction(.write) { try $0.run("SELECT pg_backend_pid()").first?.integer(0) }
        // Returns when the process is gone.
        let isGone = try await other.transaction(.write) {
            try $0.run("SELECT pg_terminate_backend(\(try #require(victim))::int, 60000)").first?[0]
        }
        #expect(isGone == .bool(true))
        let next = try await database.transaction(.write) { try $0.run("SELECT pg_backend_pid()").first?.integer(0) }
        #expect(next != nil && next != victim)
        await database.close()
        await other.close()
    }

    @Test(.needsBouncer)
    func `A connection that is killed behind PgBouncer fails its transaction, and the next one works`() async throws {
        let database = try SharedDatabase.openThroughBouncer()
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { try $0.run("SELECT pg_terminate_backend(pg_backend_pid())") }
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.isRetriable == true)
        _ = try await database.transaction(.write) { try $0.run("SELECT 1") }
        await database.close()
    }

    @Test func `A server that is away is reported as such, without secrets`() async throws {
        let database = try PostgresDatabase(url: "postgres://somebody:secret-4711@127.0.0.1:1/rentals")
        #expect(database.location == "127.0.0.1:1/rentals")
        for _ in 0..<2 {
            let error = await #expect(throws: DionysusError.self) {
                try await database.transaction(.write) { try $0.run("SELECT 1") }
            }
            #expect(error?.code == .databaseUnavailable)
            #expect(error?.isRetriable == true)
            #expect(error.map { "\($0)" }?.contains("127.0.0.1:1/rentals") == true)
            #expect(error.map { $0.debugDescription }?.contains("secret") == false)
        }
        await database.close()
    }

    @Test func `A database that doesn't exist is not worth another attempt`() async throws {
        let url = try #require(SharedDatabase.url) + "_missing"
        let database = try PostgresDatabase(url: url)
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { try $0.run("SELECT 1") }
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.isRetriable == false)
        await database.close()
    }

    @Test(arguments: [
        "", "rentals", "mysql://localhost/rentals", "postgres://somebody:secret-4711@[::1/rentals",
        "postgres://somebody:secret-4711@localhost/rentals?no_such_setting=1", "host=localhost password='secret-4711",
    ])
    func `A URL that can't be understood is refused, without secrets`(_ url: String) throws {
        let error = #expect(throws: DionysusError.self) { try PostgresDatabase(url: url) }
        #expect(error?.code == .configuration)
        #expect(error?.debugDescription.contains("secret") == false)
    }
}
