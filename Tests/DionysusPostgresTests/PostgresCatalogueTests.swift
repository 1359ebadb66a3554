import Dionysus
import DionysusPostgres
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PostgresCatalogueTests {
    @Test func `Types, identities and generated columns are described`() async throws {
        let table = try await describe(
            "typed",
            """
            CREATE TABLE typed (
              id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, small smallint, price numeric(10,2) NOT NULL,
              at timestamptz DEFAULT now(), local timestamp, name varchar(20), code char(2), kind inet, tags text[],
              twice int GENERATED ALWAYS AS (small * 2) STORED
            )
            """
        )
        #expect(
            table?.columns.map(\.type) == [
                .integer, .integer, .decimal, .timestamp, .timestamp, .text, .text, nil, nil, .integer,
            ]
        )
        #expect(table?.column("price")?.declaredType == "numeric(10,2)")
        #expect(table?.column("at")?.declaredType == "timestamp with time zone")
        #expect(table?.column("price")?.isNullable == false)
        #expect(table?.columns.filter(\.isGenerated).map(\.name) == ["id", "twice"])
        #expect(table?.column("at")?.hasDefault == true)
    }

    @Test func `Only unique keys that hold for all rows are described`() async throws {
        let table = try await describe(
            "keyed",
            "CREATE TABLE keyed (id bigint PRIMARY KEY, a int, b text, UNIQUE (b, a))",
            "CREATE UNIQUE INDEX ON keyed (lower(b))",
            "CREATE UNIQUE INDEX ON keyed (a) WHERE b IS NULL",
            "CREATE UNIQUE INDEX ON keyed (a) INCLUDE (b)",
            "CREATE INDEX ON keyed (b)"
        )
        #expect(table?.primaryKey == ["id"])
        #expect(table?.uniqueKeys == [["id"], ["b", "a"], ["a"]])
    }

    @Test func `A partitioned table has the partitions of its partitions, by their plain names`() async throws {
        let table = try await describe(
            "log",
            "CREATE TABLE log (day date, n int) PARTITION BY RANGE (day)",
            "CREATE TABLE log_a PARTITION OF log FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
            "CREATE TABLE log_b PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (n)",
            "CREATE TABLE \"Log B1\" PARTITION OF log_b FOR VALUES IN (1)"
        )
        #expect(table?.partitions == ["Log B1", "log_a", "log_b"])
    }

    @Test func `A table of another schema is found by schema and name, with its triggers`() async throws {
        let table = try await describe(
            "Other Schema.rentals",
            "CREATE SCHEMA \"Other Schema\"",
            "CREATE TABLE \"Other Schema\".rentals (id bigint PRIMARY KEY)",
            """
            CREATE FUNCTION "Other Schema".nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
            """,
            """
            CREATE TRIGGER watch AFTER INSERT ON "Other Schema".rentals EXECUTE FUNCTION "Other Schema".nothing()
            """
        )
        #expect(table?.name == "Other Schema.rentals")
        #expect(table?.triggers == ["watch"])
    }

    private func describe(_ table: String, _ statements: SQL...) async throws -> TableDescription? {
        let database = try SharedDatabase.open()
        let description = try await database.transaction(.write) { transaction in
            try transaction.run(statements)
            return try transaction.describe(table: table)
        }
        await database.close()
        return description
    }
}
