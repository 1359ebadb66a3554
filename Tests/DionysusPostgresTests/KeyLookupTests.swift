import Dionysus
import DionysusPostgres
import Testing

/// How rows are found by a long list of keys in a table that the planner knows well.
@Suite(.needsPostgres, .sharedDatabase)
struct KeyLookupTests {
    private func withTable(_ body: (PostgresDatabase, String) async throws -> Void) async throws {
        let database = try SharedDatabase.open()
        let table = "lookups_\(Int.random(in: 0..<1_000_000))"
        try await database.transaction(.write) { transaction in
            try transaction.run("CREATE TABLE \(identifier: table) (id bigint PRIMARY KEY, name text NOT NULL)")
            try transaction.run(
                "INSERT INTO \(identifier: table) SELECT n, 'number ' || n FROM generate_series(1, 20000) n"
            )
            try transaction.run("ANALYZE \(identifier: table)")
        }
        do {
            try await body(database, table)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    private func plan(_ statement: SQL, on database: PostgresDatabase) async throws -> String {
        try await database.transaction(.write) { transaction in
            try transaction.run("EXPLAIN \(statement)").rows.compactMap { try $0.text(0) }.joined(separator: "\n")
        }
    }

    private let keys = (1...2_000).map { DatabaseValue.integer($0 * 10) }

    @Test(arguments: ["SELECT name FROM", "DELETE FROM", "UPDATE"])
    func `many keys are looked up in their index, not in the whole table`(_ verb: String) async throws {
        try await withTable { database, table in
            let isAny = PostgresDialect().isAnyKey("t.id", of: keys, type: .integer)
            let set: SQL = verb == "UPDATE" ? "SET name = 'new'" : ""
            let plan = try await plan("\(raw: verb) \(identifier: table) t \(set) WHERE \(isAny)", on: database)
            #expect(plan.contains("Index Scan using \(table)_pkey"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }

    @Test func `one key is looked up in its index also in a table of a few pages`() async throws {
        try await withTable { database, table in
            try await database.transaction(.write) { transaction in
                try transaction.run("DELETE FROM \(identifier: table) WHERE id > 500")
                try transaction.run("CREATE TABLE \(identifier: "few_" + table) AS SELECT * FROM \(identifier: table)")
                try transaction.run("ALTER TABLE \(identifier: "few_" + table) ADD PRIMARY KEY (id)")
                try transaction.run("ANALYZE \(identifier: "few_" + table)")
            }
            let isAny = PostgresDialect().isAnyKey("t.id", of: [.integer(7)], type: .integer)
            let plan = try await plan("SELECT name FROM \(identifier: "few_" + table) t WHERE \(isAny)", on: database)
            #expect(plan.contains("Index Scan using few_\(table)_pkey"), "\(plan)")
        }
    }

    @Test func `a key without an index is found by one pass over the table`() async throws {
        try await withTable { database, table in
            let names = keys.indices.map { DatabaseValue.text("number \($0)") }
            let isAny = PostgresDialect().isAnyKey("t.name", of: names, type: .text)
            let plan = try await plan("SELECT id FROM \(identifier: table) t WHERE \(isAny)", on: database)
            #expect(plan.contains("Hash Semi Join") || plan.contains("Hash Join"), "\(plan)")
        }
    }
}
