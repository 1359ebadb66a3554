import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What is particular to capture on SQLite: rows that vanish without a trigger of their own.
@Suite struct CaptureSQLiteTests {
    typealias Trial = CaptureTrial<ByTriggers>

    private func run(_ index: String, _ body: (Trial) async throws -> Void) async throws {
        try await ProducerHarness.run(.sqlite, tables: Trial.tables + [index], producer: ShopSync<ByTriggers>()) {
            harness in
            let trial = Trial(harness: harness)
            try await trial.change(
                "INSERT INTO shops (id, account_id, area_id, name) VALUES (1, 7, 1, 'a'), (2, 7, 2, 'b')",
                "DELETE FROM dionysus_outboxes"
            )
            try await body(trial)
        }
    }

    @Test(
        "REPLACE records the rows that it deletes, by whatever unique index they conflict",
        arguments: [
            "CREATE UNIQUE INDEX shops_name ON shops (name)",
            "CREATE UNIQUE INDEX shops_name ON shops (account_id, name)",
            "CREATE UNIQUE INDEX shops_name ON shops (name) WHERE closed_at IS NULL",
        ]
    )
    func replace(_ index: String) async throws {
        try await run(index) { trial in
            try await trial.change("REPLACE INTO shops (id, account_id, name) VALUES (3, 7, 'a')")
            #expect(
                try await trial.harness.pending() == [
                    "shop_destroyed Shop:1 v1_shops 7", "shop_created Shop:3 v1_shops 7",
                ]
            )
            try await trial.harness.settle()
            try await trial.change("UPDATE OR REPLACE shops SET name = 'b' WHERE id = 3")
            #expect(
                try await trial.harness.pending() == [
                    "shop_destroyed Shop:2 v1_shops 7", "shop_updated Shop:3 v1_shops 7",
                ]
            )
            try await trial.harness.relay()
            let events = try await trial.harness.events(in: "v1_shops").sorted()
            #expect(events == ["shop_destroyed Shop:2", "shop_updated Shop:3"])
        }
    }

    @Test("a conflict that is resolved in another way than by REPLACE publishes nothing wrong")
    func ignored() async throws {
        try await run("CREATE UNIQUE INDEX shops_name ON shops (name)") { trial in
            try await trial.change("INSERT OR IGNORE INTO shops (id, account_id, name) VALUES (3, 7, 'a')")
            try await trial.harness.relay()
            // The record is there: it is published as it is.
            #expect(try await trial.harness.events(in: "v1_shops") == ["shop_updated Shop:1"])
        }
    }

    @Test("replacing a part publishes the parent that it has left")
    func replacedPart() async throws {
        try await run("CREATE UNIQUE INDEX offers_price ON offers (price)") { trial in
            try await trial.change(
                "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)",
                "DELETE FROM dionysus_outboxes",
                "REPLACE INTO offers (id, shop_id, price) VALUES (2, 2, 5)"
            )
            #expect(
                try await trial.harness.pending() == [
                    "shop_updated Shop:1 v1_shops 7", "shop_updated Shop:2 v1_shops 7",
                ]
            )
        }
    }

    @Test("rows that a cascade deletes are captured")
    func cascade() async throws {
        let tables =
            [Trial.tables[0]]
            + [
                """
                CREATE TABLE shops (
                  id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL,
                  area_id INTEGER REFERENCES areas (id) ON DELETE CASCADE, name TEXT NOT NULL, region TEXT, closed_at TEXT
                )
                """, Trial.tables[2],
            ]
        try await ProducerHarness.run(.sqlite, tables: tables, producer: ShopSync<ByTriggers>()) { harness in
            let trial = Trial(harness: harness)
            try await trial.change(
                "INSERT INTO areas (id, name) VALUES (1, 'here')",
                "INSERT INTO shops (id, account_id, area_id, name) VALUES (1, 7, 1, 'a')",
                "DELETE FROM dionysus_outboxes",
                "DELETE FROM areas"
            )
            #expect(
                try await harness.pending().sorted() == [
                    "area_destroyed Area:1 v1_areas -", "shop_destroyed Shop:1 v1_shops 7",
                ]
            )
        }
    }
}
