import Dionysus
import DionysusPostgres
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PreparedStatementTests {
    private static let prepared: SQL =
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT count(*) FROM pg_prepared_statements%'"

    /// How many statements like this one the connection has prepared at most, while it asks several times.
    ///
    /// After some seconds all are forgotten, which can happen in between.
    private func mostPrepared(in database: PostgresDatabase) async throws -> Int64 {
        var most: Int64 = 0
        for _ in 0..<12 {
            let count = try await database.transaction(.snapshot) { try $0.run(Self.prepared).first?.integer(0) }
            most = max(most, count ?? 0)
        }
        return most
    }

    @Test func `What is run again and again is prepared where the session is the connection's own`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        #expect(try await mostPrepared(in: database) == 1)
        await database.close()
    }

    @Test(.needsBouncer) func `Behind PgBouncer nothing is prepared`() async throws {
        let database = try SharedDatabase.openThroughBouncer()
        #expect(try await mostPrepared(in: database) == 0)
        await database.close()
    }

    @Test func `Nothing is compiled, however much the planner expects to read`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        #expect(try await isCompiling(database) == false)
        await database.close()
    }

    @Test(.needsBouncer) func `Nothing is compiled behind PgBouncer, where other sessions keep their setting`()
        async throws
    {
        let database = try SharedDatabase.openThroughBouncer()
        #expect(try await isCompiling(database) == false)
        try await database.outsideTransaction(
            "DO $$ BEGIN IF current_setting('jit') <> 'on' THEN RAISE 'the setting outlived its transaction'; END IF; END $$"
        )
        await database.close()
    }

    private func isCompiling(_ database: PostgresDatabase) async throws -> Bool? {
        try await database.transaction(.snapshot) { try $0.run("SELECT current_setting('jit') = 'on'").first?[0] }
            == .bool(true)
    }

    @Test func `A statement whose table has changed asks at most once for the transaction to be run again`()
        async throws
    {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        _ = try await database.transaction(.write) { try $0.run("CREATE TABLE changing (id bigint)") }
        for _ in 0..<4 { _ = try await database.transaction(.write) { try $0.run("SELECT * FROM changing") } }
        _ = try await database.transaction(.write) { try $0.run("ALTER TABLE changing ADD COLUMN name text") }
        do {
            _ = try await database.transaction(.write) { try $0.run("SELECT * FROM changing") }
        } catch let error as DionysusError {
            #expect(error.code == .transactionConflict && error.isRetriable)
        }
        let columns = try await database.transaction(.write) { try $0.run("SELECT * FROM changing").columns }
        #expect(columns == ["id", "name"])
        await database.close()
    }

    @Test func `What is committed with statements of one form goes on when prepared ones are made anew`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let names: SQL = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT % AS asked'"
        var seen: Set<String> = []
        // After some seconds the connection forgets what it has prepared, and numbers go on.
        while seen.count < 2 {
            let answers = try await database.transaction(.write) { transaction in
                let found = try transaction.run(names).rows.compactMap { try $0.text(0) }
                let asked = try transaction.runLast((1...4).map { "SELECT \($0) AS asked" })
                return (found, try asked.map { try $0.first?.integer(0) })
            }
            seen.formUnion(answers.0)
            #expect(answers.1 == [1, 2, 3, 4])
        }
        await database.close()
    }

    @Test func `Statements that commit with their transaction do, and after an error nothing lasts`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        _ = try await database.transaction(.write) { transaction in
            try transaction.runLast(["CREATE TABLE lasting (id bigint UNIQUE)", "INSERT INTO lasting VALUES (1)"])
        }
        await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { transaction in
                try transaction.runLast(["INSERT INTO lasting VALUES (2)", "INSERT INTO lasting VALUES (1)"])
            }
        }
        let count = try await database.transaction(.write) { transaction in
            try transaction.runLast(["SELECT count(*) FROM lasting"])[0].first?.integer(0)
        }
        #expect(count == 1)
        await database.close()
    }
}
