import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// Histories whose end only shows when the relay runs.
@Suite struct CaptureHistoryTests {
    typealias Trial = CaptureTrial<ByTriggers>

    @Test(
        "a record that is deleted and created again under its id before the relay runs is published as it is now",
        arguments: TestDatabaseKind.available
    )
    func recreated(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(Trial.shop)
            try await trial.harness.relay()
            try await trial.change(
                "DELETE FROM shops",
                "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'Again')"
            )
            #expect(
                try await trial.harness.pending() == [
                    "shop_destroyed Shop:1 v1_shops 7", "shop_created Shop:1 v1_shops 7",
                ]
            )
            try await trial.harness.relay()
            let messages = try await trial.harness.messages(in: "v1_shops")
            #expect(messages.map(\.event).contains("shop_destroyed") == false)
            #expect(messages.last?.payload["name"] == .string("Again"))
        }
    }

    @Test(
        "an observer whose association changes in the transaction that changes what is observed is published",
        arguments: TestDatabaseKind.available
    )
    func observerMoves(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'a', 10), (2, 'b', 11)",
                "INSERT INTO rentals (id, account_id, name, price) VALUES (1, 1, 'Villa', 100)"
            )
            try await harness.settle()
            try await harness.database.transaction(.write) { transaction in
                try transaction.run("UPDATE accounts SET default_check_in_time = 20 WHERE id = 2")
                try transaction.run("UPDATE rentals SET account_id = 2")
                try transaction.run("UPDATE accounts SET default_check_in_time = 21 WHERE id = 1")
            }
            try await harness.relay()
            let last = try await harness.messages(in: "v3_rentals").last
            #expect(last?.payload["check_in_time"] == .integer(20))
        }
    }

    @Test(
        "a part that moves twice before the relay runs publishes every parent it has had",
        arguments: TestDatabaseKind.available
    )
    func movingPart(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(
                "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a'), (2, 7, 'b'), (3, 7, 'c')",
                "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)"
            )
            try await trial.harness.relay()
            try await trial.harness.settle()
            try await trial.change("UPDATE offers SET shop_id = 2", "UPDATE offers SET shop_id = 3")
            #expect(
                Set(try await trial.harness.pending()) == [
                    "shop_updated Shop:1 v1_shops 7", "shop_updated Shop:2 v1_shops 7",
                    "shop_updated Shop:3 v1_shops 7",
                ]
            )
            try await trial.harness.relay()
            let messages = try await trial.harness.messages(in: "v1_shops")
            let links = Dictionary(messages.map { ($0.key, $0.payload["links"]?["offers"]) }) { $1 }
            #expect(links["Shop:1"] == .array([]) && links["Shop:2"] == .array([]))
            #expect(links["Shop:3"] == .array([.integer(1)]))
        }
    }

    @Test(
        "two transactions that delete and create one record are captured in the order of their commits",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func concurrent() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.change(Trial.shop)
            try await trial.harness.settle()
            // The second waits for the first to end, since they change the same row.
            async let deletion: Void = trial.change("DELETE FROM shops WHERE id = 1")
            async let update: Void = trial.change("UPDATE shops SET name = 'Other' WHERE id = 1")
            _ = try await (deletion, update)
            try await trial.change("INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'Again')")
            let events = try await trial.harness.pending()
            #expect(
                events == ["shop_destroyed Shop:1 v1_shops 7", "shop_created Shop:1 v1_shops 7"]
                    || events == [
                        "shop_updated Shop:1 v1_shops 7", "shop_destroyed Shop:1 v1_shops 7",
                        "shop_created Shop:1 v1_shops 7",
                    ]
            )
        }
    }
}
