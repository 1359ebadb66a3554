import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What an application that records its changes itself writes into the outbox.
@Suite struct CaptureRecorderTests {
    typealias Trial = CaptureTrial<ByApplication>

    static let offer = "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)"

    @Test(
        "a part's change is a row of its own in its parent's topic, with the foreign keys it has left",
        arguments: TestDatabaseKind.available
    )
    func parts(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(
                Self.offer,
                "UPDATE offers SET price = 6",
                "UPDATE offers SET shop_id = 2",
                "DELETE FROM offers"
            )
            #expect(
                try await trial.harness.pending() == [
                    "offer_created Offer:1 v1_shops -", "offer_updated Offer:1 v1_shops -",
                    "offer_updated Offer:1 v1_shops -", "offer_destroyed Offer:1 v1_shops -",
                ]
            )
            #expect(
                try await trial.changesets() == [
                    nil, nil, .object(["shop_id": .array([.integer(1), .integer(2)])]),
                    .object(["shop_id": .array([.integer(2), .null])]),
                ]
            )
        }
    }

    @Test("an observed attribute has a row of its own, which names it", arguments: TestDatabaseKind.available)
    func observed(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(
                Trial.shop,
                "DELETE FROM dionysus_outboxes",
                "UPDATE shops SET region = 'north'",
                "UPDATE shops SET name = 'Other'"
            )
            #expect(
                try await trial.harness.pending() == [
                    "shop_updated Shop:1 v1_shops 7", "shop_updated Shop:1 __outbox_observer__ -",
                    "shop_updated Shop:1 v1_shops 7",
                ]
            )
            #expect(try await trial.changesets()[1] == .object(["region": .null]))
        }
    }

    @Test("what is recorded is published", arguments: TestDatabaseKind.available)
    func published(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(Trial.shop, "UPDATE shops SET name = 'Other'")
            try await trial.harness.relay()
            let events = try await trial.harness.events(in: "v1_shops")
            #expect(events == ["shop_created Shop:1", "shop_updated Shop:1"])
            #expect(try await trial.harness.pending() == [])
        }
    }

    @Test("the tables of models that the application records have no triggers", arguments: TestDatabaseKind.available)
    func noTriggers(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<ByTriggers>
            .run(kind) { trial in
                func triggers() async throws -> [Int] {
                    try await trial.harness.database.transaction(.snapshot) { transaction in
                        try ["shops", "offers", "areas"]
                            .map { try transaction.describe(table: $0)?.triggers.count ?? 0 }
                    }
                }
                #expect(try await triggers().allSatisfy { $0 > 0 })
                let recording = trial.harness.declaring(ShopSync<ByApplication>())
                #expect(try await recording.schema.validate().isEmpty == false)
                try await recording.schema.migrate(lanes: 16)
                #expect(try await recording.schema.validate() == [])
                #expect(try await triggers().map { $0 > 0 } == [false, false, true])
            }
    }

    @Test("a model that triggers capture can't be recorded twice")
    func capturedByTriggers() async throws {
        try await CaptureTrial<ByTriggers>
            .run(.sqlite) { trial in
                let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
                let error = await #expect(throws: DionysusError.self) {
                    try await trial.harness.database.transaction(.write) { transaction in
                        let shop = Shop<ByTriggers>(id: 1, accountID: 7, name: "Corner")
                        try recorder.record(.created(shop), in: &transaction)
                    }
                }
                #expect(error?.code == .declaration)
            }
    }

    @Test("what is recorded is rolled back with its transaction", arguments: TestDatabaseKind.available)
    func rollback(_ kind: TestDatabaseKind) async throws {
        struct Rollback: Error {}
        try await Trial.run(kind) { trial in
            let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
            await #expect(throws: Rollback.self) {
                try await trial.harness.database.transaction(.write) { transaction in
                    let shop = Shop<ByApplication>(id: 1, accountID: 7, name: "Corner")
                    try recorder.record(.created(shop), in: &transaction)
                    throw Rollback()
                }
            }
            let recorded = try await trial.harness.pending()
            #expect(recorded == [])
        }
    }

    @Test("a changed primary key is recorded as destroyed and created", arguments: TestDatabaseKind.available)
    func primaryKey(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
            try await trial.harness.database.transaction(.write) { transaction in
                let old = Shop<ByApplication>(id: 1, accountID: 7, name: "Corner")
                let new = Shop<ByApplication>(id: 2, accountID: 7, name: "Corner")
                try recorder.record(.updated(from: old, to: new), in: &transaction)
            }
            #expect(
                try await trial.harness.pending() == [
                    "shop_destroyed Shop:1 v1_shops 7", "shop_created Shop:2 v1_shops 7",
                ]
            )
        }
    }

    @Test("many changes are recorded in their order", arguments: TestDatabaseKind.available)
    func many(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
            try await trial.harness.database.transaction(.write) { transaction in
                let shops = (1...500).map { Shop<ByApplication>(id: $0, accountID: 7, name: "Corner") }
                try recorder.record(contentsOf: shops.map { .created($0) }, in: &transaction)
            }
            #expect(
                try await trial.harness.pending() == (1...500).map { "shop_created Shop:\($0) v1_shops 7" }
            )
        }
    }
}
