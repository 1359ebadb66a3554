import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// The installed triggers, and the declaration they come from.
@Suite struct CaptureInstallationTests {
    typealias Trial = CaptureTrial<ByTriggers>

    /// The same models in another topic, without parts.
    struct OtherSync: Producer {
        var namespaces: [Namespace] {
            Namespace("v2", serializers: Serializers { Whole(Shop<ByTriggers>.self) }) {
                Topic("shops", partitionKey: "area_id") { Publish(Shop<ByTriggers>.self) }
            }
        }
    }

    @Test("migrating after the declaration has changed replaces the triggers", arguments: TestDatabaseKind.available)
    func replacement(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            let other = trial.harness.declaring(OtherSync())
            let faults = try await other.schema.validate()
            #expect(faults.contains { $0.contains("shops are not those of the declaration: run migrate") })
            #expect(
                faults.contains { $0.contains("offers has capture triggers, which the declaration does not ask for") }
            )
            try await other.schema.migrate(lanes: 16)
            #expect(try await other.schema.validate() == [])
            try await trial.change(
                "INSERT INTO shops (id, account_id, area_id, name) VALUES (1, 7, 3, 'Corner')",
                "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)"
            )
            #expect(try await other.pending() == ["shop_created Shop:1 v2_shops 3"])
        }
    }

    @Test("a relay does not start on triggers of another declaration", arguments: TestDatabaseKind.available)
    func relay(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            let other = trial.harness.declaring(OtherSync())
            let error = await #expect(throws: DionysusError.self) { try await other.relay() }
            #expect(error?.code == .declaration)
            #expect(error?.message.contains("run migrate") == true)
            try await other.schema.migrate(lanes: 16)
            try await other.relay()
        }
    }

    @Test("triggers that somebody has dropped are missed", arguments: TestDatabaseKind.available)
    func dropped(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(
                kind == .sqlite
                    ? "DROP TRIGGER dionysus_capture_shops_update" : "DROP TRIGGER dionysus_capture_update ON shops"
            )
            let faults = try await trial.harness.schema.validate()
            #expect(faults == ["the capture triggers of table shops are not those of the declaration: run migrate"])
            await #expect(throws: DionysusError.self) { try await trial.harness.relay() }
            try await trial.harness.schema.migrate(lanes: 16)
            #expect(try await trial.harness.schema.validate() == [])
        }
    }

    @Test(
        "a column that no model names comes, changes, is renamed and goes without a migration or a message",
        arguments: TestDatabaseKind.available
    )
    func undeclaredColumn(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change(Trial.shop, "ALTER TABLE shops ADD COLUMN colour INTEGER")
            #expect(try await trial.harness.schema.validate() == [])
            try await trial.harness.settle()
            try await trial.harness.run(
                "UPDATE shops SET colour = 3",
                "ALTER TABLE shops RENAME COLUMN colour TO tint",
                "UPDATE shops SET tint = 4, name = 'renamed'",
                "ALTER TABLE shops DROP COLUMN tint",
                "UPDATE shops SET name = 'dropped'"
            )
            #expect(try await trial.harness.schema.validate() == [])
            #expect(
                try await trial.harness.pending() == [
                    "shop_updated Shop:1 v1_shops 7", "shop_updated Shop:1 v1_shops 7",
                ]
            )
        }
    }

    @Test("an outbox that lacks the trace columns is written, too", arguments: TestDatabaseKind.available)
    func withoutContext(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.change("DROP TABLE dionysus_outboxes", Self.foreignOutbox(kind))
            // The indexes of the lanes went with the table.
            try await trial.harness.schema.migrate(lanes: 8)
            try await trial.change(Trial.shop, "UPDATE shops SET account_id = 8")
            #expect(
                try await trial.harness.pending() == [
                    "shop_created Shop:1 v1_shops 7", "shop_updated Shop:1 v1_shops 8",
                ]
            )
            #expect(
                try await trial.changesets() == [
                    .object([:]), .object(["account_id": .array([.integer(7), .integer(8)])]),
                ]
            )
        }
        try await CaptureTrial<ByApplication>
            .run(kind) { trial in
                try await trial.change("DROP TABLE dionysus_outboxes", Self.foreignOutbox(kind))
                try await trial.harness.schema.migrate(lanes: 8)
                try await trial.change(CaptureTrial<ByApplication>.shop)
                #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
                #expect(try await trial.changesets() == [.object([:])])
            }
    }

    /// An outbox as another program may have created it.
    private static func foreignOutbox(_ kind: TestDatabaseKind) -> String {
        let (id, time) =
            kind == .sqlite ? ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT") : ("bigserial PRIMARY KEY", "timestamp(6)")
        return """
            CREATE TABLE dionysus_outboxes (
              id \(id), resource_class varchar NOT NULL, resource_id varchar NOT NULL, event_name varchar NOT NULL,
              topic varchar NOT NULL, partition_key varchar, published_at \(time), failed_at \(time), retry_at \(time),
              error_class varchar, error_message text, attempts integer NOT NULL DEFAULT 0,
              created_at \(time) NOT NULL, updated_at \(time) NOT NULL, changeset text NOT NULL
            )
            """
    }
}
