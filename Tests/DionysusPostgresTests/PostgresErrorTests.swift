import Dionysus
import DionysusPostgres
import TestSupport
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PostgresErrorTests {
    @Test func `A commit after an error that was swallowed is refused instead of doing nothing`() async throws {
        let database = try SharedDatabase.open()
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.run("CREATE TABLE swallowed (id bigint)")
                _ = try? transaction.run("SELECT 1/0")
            }
        }
        #expect(error?.code == .statement)
        let table = try await database.transaction(.snapshot) { try $0.describe(table: "swallowed") }
        #expect(table == nil)
        await database.close()
    }

    @Test func `A constraint that is checked at the commit is reported as a constraint`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.run([
                    "CREATE TABLE deferred (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)",
                    "INSERT INTO deferred VALUES (1), (1)",
                ])
            }
        }
        #expect(error?.code == .constraint)
        #expect(error?.isRetriable == false)
        _ = try await database.transaction(.write) { try $0.run("SELECT 1") }
        await database.close()
    }

    @Test func `A deadlock asks for the transaction to be run again`() async throws {
        let database = try SharedDatabase.open()
        _ = try await database.transaction(.write) { transaction in
            try transaction.run(["CREATE TABLE pair (id bigint)", "INSERT INTO pair VALUES (1), (2)"])
        }
        let place = Rendezvous()
        let outcomes = await withTaskGroup(of: Result<Void, any Error>.self) { group in
            for (first, second) in [(1, 2), (2, 1)] {
                group.addTask {
                    do {
                        return .success(
                            try await database.transaction(.write) { transaction in
                                try transaction.run([
                                    "SET LOCAL deadlock_timeout TO '10ms'",
                                    "UPDATE pair SET id = id WHERE id = \(first)",
                                ])
                                place.arriveAndWait()
                                try transaction.run("UPDATE pair SET id = id WHERE id = \(second)")
                            }
                        )
                    } catch {
                        return .failure(error)
                    }
                }
            }
            await place.awaitArrivals(2)
            place.letGo(2)
            return await group.reduce(into: []) { $0.append($1) }
        }
        let errors = outcomes.compactMap { outcome in
            if case .failure(let error) = outcome { error as? DionysusError } else { nil }
        }
        #expect(errors.map(\.code) == [.transactionConflict])
        #expect(errors.map(\.isRetriable) == [true])
        await database.close()
    }

    @Test func `An error names the state and the statement, and no value`() async throws {
        let database = try SharedDatabase.open()
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.run("SELECT \("secret-4711")::bigint FROM pg_class WHERE relname = 'x'")
            }
        }
        let text = try #require(error.map { "\($0)" })
        #expect(text.contains("22P02"))
        #expect(text.contains("SELECT $1::bigint FROM pg_class"))
        #expect(!text.contains("secret"))
        await database.close()
    }

    @Test func `A statement that takes too long is ended, and may be run again`() async throws {
        var options = PostgresOptions()
        options.statementTimeout = .milliseconds(20)
        let database = try SharedDatabase.open(options)
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { try $0.run("SELECT pg_sleep(600)") }
        }
        #expect(error?.code == .timeout)
        #expect(error?.isRetriable == true)
        #expect(error?.advice != nil)
        await database.close()
    }

    @Test func `A disk that fails the server is waited for`() async throws {
        let database = try SharedDatabase.open()
        for state in ["53100", "58030"] {
            let error = await #expect(throws: DionysusError.self) {
                try await database.transaction(.write) { transaction in
                    try transaction.run(
                        "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = \(raw: "'\(state)'"); END $$"
                    )
                }
            }
            #expect(error?.code == .databaseUnavailable)
            #expect(error?.isRetriable == true)
        }
        await database.close()
    }

    @Test func `Text with a zero byte is refused, and the connection stays usable`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let pids = try await database.transaction(.write) { transaction in
            let before = try transaction.run("SELECT pg_backend_pid()").first?.integer(0)
            let error = #expect(throws: DionysusError.self) {
                try transaction.savepoint { part in
                    _ = try part.run(["SELECT 1", "SELECT \("a\0b")", "SELECT 2"])
                }
            }
            #expect(error?.code == .typeMismatch)
            return [before, try transaction.run("SELECT pg_backend_pid()").first?.integer(0)]
        }
        #expect(pids[0] == pids[1])
        await database.close()
    }
}
