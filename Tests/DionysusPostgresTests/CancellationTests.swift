import Dionysus
import DionysusPostgres
import TestSupport
import Testing

/// Statements of tasks that are cancelled, and transactions that go on after an error.
@Suite(.needsPostgres, .sharedDatabase, .timeLimit(.minutes(10)))
struct CancellationTests {
    /// Waits until the server runs a statement with these words.
    private func awaitStatement(_ words: String, on database: PostgresDatabase) async throws {
        let pattern = "%\(words)%"
        while try await database.transaction(
            .snapshot,
            { transaction in
                try transaction.run(
                    """
                    SELECT 1 FROM pg_stat_activity
                    WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE \(pattern)
                    """
                )
                .isEmpty
            }
        ) {}
    }

    private func cancelled(_ database: PostgresDatabase, _ words: String, _ body: Task<Void, any Error>) async throws {
        let watch = try SharedDatabase.open()
        try await awaitStatement(words, on: watch)
        body.cancel()
        await #expect(throws: CancellationError.self) { try await body.value }
        await watch.close()
    }

    @Test func `A statement ends when its task is cancelled, and the connection goes on`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        _ = try await database.transaction(.write) { try $0.run("CREATE TABLE cancelled (n integer)") }
        for _ in 0..<3 {
            let task = Task {
                _ = try await database.transaction(.write) { transaction in
                    try transaction.run("INSERT INTO cancelled VALUES (1)")
                    try transaction.run("SELECT pg_sleep(600) AS first_long_one")
                }
            }
            try await cancelled(database, "first_long_one", task)
            // Nothing lasts of it, and what comes next on the connection isn't cancelled.
            let count = try await database.transaction(.write) { transaction in
                try transaction.run("SELECT pg_sleep(0.3)")
                return try transaction.run("SELECT count(*) FROM cancelled").first?[0]
            }
            #expect(count == .integer(0))
        }
        await database.close()
    }

    @Test func `A statement that waits for a lock ends when its task is cancelled`() async throws {
        let database = try SharedDatabase.open()
        _ = try await database.transaction(.write) { try $0.run("CREATE TABLE waited (n integer)") }
        let place = Rendezvous()
        async let holder: Void = database.transaction(.write) { transaction in
            _ = try transaction.run("LOCK TABLE waited")
            place.arriveAndWait()
        }
        await place.awaitArrivals()
        let task = Task { _ = try await database.transaction(.write) { try $0.run("INSERT INTO waited VALUES (2)") } }
        try await cancelled(database, "INSERT INTO waited", task)
        place.letGo()
        try await holder
        await database.close()
    }

    @Test func `A task that is cancelled between two statements runs no more of them`() async throws {
        let database = try SharedDatabase.open()
        let place = Rendezvous()
        let task = Task {
            _ = try await database.transaction(.write) { transaction in
                try transaction.run("SELECT 1")
                place.arriveAndWait()
                try transaction.run("SELECT pg_sleep(600)")
            }
        }
        await place.awaitArrivals()
        task.cancel()
        place.letGo()
        await #expect(throws: CancellationError.self) { try await task.value }
        await database.close()
    }

    @Test func `A lease's statement ends when its task is cancelled, and the lease can only be abandoned`() async throws
    {
        let database = try SharedDatabase.open()
        let resource = LeasedResource(name: "one", lockingQuery: "SELECT 1")
        let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(60)))
        let task = Task { _ = try await lease.perform { try $0.run("SELECT pg_sleep(600) AS leased_long_one") } }
        try await cancelled(database, "leased_long_one", task)
        await #expect(throws: DionysusError.self) { try await lease.perform { _ = try $0.run("SELECT 1") } }
        await lease.abandon()
        await database.close()
    }

    @Test(.needsBouncer) func `A statement behind PgBouncer ends when its task is cancelled`() async throws {
        let database = try SharedDatabase.openThroughBouncer()
        let task = Task {
            _ = try await database.transaction(.write) { try $0.run("SELECT pg_sleep(600) AS pooled_one") }
        }
        try await cancelled(database, "pooled_one", task)
        await database.close()
    }

    @Test func `A statement ends at the statement timeout with an error that can be tried again`() async throws {
        var options = PostgresOptions()
        options.statementTimeout = .milliseconds(50)
        let database = try SharedDatabase.open(options)
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { _ = try $0.run("SELECT pg_sleep(600)") }
        }
        #expect(error?.code == .timeout)
        #expect(error?.isRetriable == true)
        await database.close()
    }

    @Test(arguments: [
        (DatabaseValue.text("a\0b"), "kept_text"), (.json("\0"), "kept_json"),
        (.array(.text, [.text("\0")]), "kept_list"),
    ])
    func `A first statement that can't be sent leaves the transaction to the next`(
        _ value: DatabaseValue,
        _ table: String
    ) async throws {
        let database = try SharedDatabase.open()
        _ = try await database.transaction(.write) { try $0.run("CREATE TABLE \(identifier: table) (n integer)") }
        await #expect(throws: Undone.self) {
            try await database.transaction(.write) { transaction in
                #expect(throws: DionysusError.self) { try transaction.run("SELECT \(value)") }
                try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
                throw Undone()
            }
        }
        let count = try await database.transaction(.snapshot) {
            try $0.run("SELECT count(*) FROM \(identifier: table)").first?[0]
        }
        #expect(count == .integer(0))
        // And one that is committed lasts.
        try await database.transaction(.write) { transaction in
            #expect(throws: DionysusError.self) { try transaction.run(["SELECT 1", "SELECT \(value)"]) }
            try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
        }
        let kept = try await database.transaction(.write) { transaction in
            try transaction.run("DELETE FROM \(identifier: table)").affectedRows
        }
        #expect(kept == 1)
        await database.close()
    }

    @Test(arguments: ["COMMIT", "ROLLBACK"])
    func `Nothing is run alone after a statement that ended the transaction`(_ statement: String) async throws {
        let database = try SharedDatabase.open()
        let table = "alone_\(statement.lowercased())"
        _ = try await database.transaction(.write) { try $0.run("CREATE TABLE \(identifier: table) (n integer)") }
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.run(SQL(raw: statement))
                try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
            }
        }
        #expect(error?.message.contains("has ended the transaction") == true)
        let count = try await database.transaction(.snapshot) {
            try $0.run("SELECT count(*) FROM \(identifier: table)").first?[0]
        }
        #expect(count == .integer(0))
        await database.close()
    }

    @Test func `A change signal that nobody holds any more gives its connection back`() async throws {
        let database = try SharedDatabase.open()
        // The channel's name stands in a table of the outbox.
        _ = try await database.transaction(.write) { [outbox = database.outbox] in try $0.run(outbox.creation()) }
        let listeners: @Sendable (inout Transaction) throws -> Int64? = { transaction in
            try transaction
                .run(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%advisory%'"
                )
                .first?
                .integer(0)
        }
        do {
            let signal = database.changeSignal {}
            #expect(try await signal.arm())
            #expect(try await database.transaction(.snapshot, listeners) == 2)
        }
        while try await database.transaction(.snapshot, listeners) != 1 {}
        await database.close()
    }
}

private struct Undone: Error {}
