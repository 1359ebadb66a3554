import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// PostgreSQL's triggers write sets of rows.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres)))
struct CaptureBulkTests {
    typealias Trial = CaptureTrial<ByTriggers>

    /// Counts the statements that write into the outbox.
    static let counter: [SQL] = [
        "CREATE TABLE inserts (id bigserial PRIMARY KEY, rows bigint NOT NULL)",
        """
        CREATE FUNCTION count_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO public.inserts (rows) SELECT count(*) FROM written; RETURN NULL; END'
        """,
        """
        CREATE TRIGGER counting AFTER INSERT ON dionysus_outboxes REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION count_insert()
        """,
    ]

    private func counts(of statement: String, in trial: Trial) async throws -> [Int64] {
        _ = try await trial.harness.database.transaction(.write) { try $0.run("DELETE FROM inserts") }
        try await trial.change(statement)
        return try await trial.harness.database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT rows FROM inserts WHERE rows > 0 ORDER BY id").rows
                .compactMap { try $0.integer(0) }
        }
    }

    @Test("a bulk statement is captured by one insert for each kind of record, however many rows it changes")
    func counted() async throws {
        try await Trial.run(.postgres) { trial in
            _ = try await trial.harness.database.transaction(.write) { try $0.run(Self.counter) }
            let insert =
                "INSERT INTO shops (id, account_id, name) SELECT i, i % 10, 'x' FROM generate_series(1, 20000) i"
            #expect(try await counts(of: insert, in: trial) == [20_000])
            #expect(try await counts(of: "UPDATE shops SET name = 'y'", in: trial) == [20_000])
            let observed = "UPDATE shops SET region = 'north'"
            #expect(try await counts(of: observed, in: trial) == [20_000, 20_000])
            let parts =
                "INSERT INTO offers (id, shop_id, price) SELECT i, 1 + i % 100, 1 FROM generate_series(1, 5000) i"
            #expect(try await counts(of: parts, in: trial) == [100])
            #expect(try await counts(of: "UPDATE offers SET price = 2", in: trial) == [100])
            #expect(try await counts(of: "DELETE FROM offers", in: trial) == [100])
            #expect(try await counts(of: "DELETE FROM shops", in: trial) == [20_000])
        }
    }

    @Test("a bulk update after single ones in the same session is captured as a set, too")
    func afterSingleOnes() async throws {
        try await Trial.run(.postgres) { trial in
            _ = try await trial.harness.database.transaction(.write) { try $0.run(Self.counter) }
            try await trial.change(
                "INSERT INTO shops (id, account_id, name) SELECT i, i % 10, 'x' FROM generate_series(1, 20000) i"
            )
            // A plan that is made for one row is kept by the session; a loop over pairs of 20,000 rows would never end.
            try await trial.harness.database.transaction(.write) { transaction in
                for id in 1...20 { try transaction.run("UPDATE shops SET name = 'one', region = 'x' WHERE id = \(id)") }
                try transaction.run("DELETE FROM inserts")
                try transaction.run("UPDATE shops SET name = 'all', region = 'y'")
            }
            let rows = try await trial.harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT rows FROM inserts WHERE rows > 0 ORDER BY id").rows
                    .compactMap { try $0.integer(0) }
            }
            #expect(rows == [20_000, 20_000])
        }
    }

    @Test("COPY, an upsert and a MERGE are captured")
    func otherStatements() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.change(CaptureTrial<ByTriggers>.shop, "DELETE FROM dionysus_outboxes")
            try await trial.change(
                """
                INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'changed'), (2, 7, 'new')
                ON CONFLICT (id) DO UPDATE SET name = excluded.name
                """
            )
            #expect(
                try await trial.harness.pending().sorted() == [
                    "shop_created Shop:2 v1_shops 7", "shop_updated Shop:1 v1_shops 7",
                ]
            )
            try await trial.harness.settle()
            try await trial.change(
                """
                MERGE INTO shops USING (VALUES (1), (2), (3)) s (id) ON s.id = shops.id
                WHEN MATCHED AND s.id = 1 THEN DELETE
                WHEN MATCHED THEN UPDATE SET name = 'merged'
                WHEN NOT MATCHED THEN INSERT (id, account_id, name) VALUES (s.id, 7, 'merged')
                """
            )
            #expect(
                try await trial.harness.pending().sorted() == [
                    "shop_created Shop:3 v1_shops 7", "shop_destroyed Shop:1 v1_shops 7",
                    "shop_updated Shop:2 v1_shops 7",
                ]
            )
            try await trial.harness.settle()
            try await trial.change("COPY shops (id, account_id, name) FROM PROGRAM 'printf ''8\\t7\\tcopied\\n'''")
            #expect(try await trial.harness.pending() == ["shop_created Shop:8 v1_shops 7"])
        }
    }
}
