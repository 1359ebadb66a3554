import Dionysus
import DionysusPostgres
import DionysusProducer
import TestSupport
import Testing

/// Several applications in one database: each has its outbox, or is refused one.
@Suite struct OutboxOwnerTests {
    private static func settings(_ application: String) -> ProducerSettings {
        var settings = ProducerSettings()
        settings.application = application
        return settings
    }

    @Test("a second application doesn't take the triggers of the first", arguments: TestDatabaseKind.available)
    func refused(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<ByTriggers>
            .run(kind, settings: Self.settings("shops")) { trial in
                let other = trial.harness.declaring(OtherApplication(), settings: Self.settings("billing"))
                let error = await #expect(throws: DionysusError.self) { try await other.schema.migrate(lanes: 4) }
                #expect(error?.message.contains("belongs to the application shops, and this is billing") == true)
                await #expect(throws: DionysusError.self) { try await other.relay() }
                #expect(try await other.schema.validate().contains { $0.contains("belongs to the application shops") })
                #expect(try await trial.harness.schema.validate() == [])
                try await trial.change(CaptureTrial<ByTriggers>.shop)
                #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
            }
    }

    @Test(
        "with a schema of its own each application has an outbox of its own, also of one table",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func beside() async throws {
        try await withTemporaryPostgresURL { url in
            let first = try PostgresDatabase(url: url)
            let second = try PostgresDatabase(
                url: url + (url.contains("?") ? "&" : "?") + "options=-csearch_path%3Dbilling,public"
            )
            let tables = CaptureTrial<ByTriggers>.tables + ["CREATE SCHEMA billing"]
            _ = try await first.transaction(.write) { try $0.run(tables.map { SQL(raw: $0) }) }
            let shops = OutboxSchema(
                database: first,
                registry: Registry(ShopSync<ByTriggers>(), settings: Self.settings("shops"))
            )
            let billing = OutboxSchema(
                database: second,
                registry: Registry(OtherApplication(), settings: Self.settings("billing"))
            )
            try await shops.migrate(lanes: 4)
            try await billing.migrate(lanes: 4)
            #expect(try await billing.migrate(lanes: 4).changes == [])
            #expect(try await shops.migrate(lanes: 4).changes == [])
            #expect(try await shops.validate() == [])
            #expect(try await billing.validate() == [])
            let counts = try await first.transaction(.write) { transaction in
                try transaction.run("INSERT INTO areas (id, name) VALUES (1, 'x')")
                return try transaction
                    .run(
                        """
                        SELECT (SELECT string_agg(topic, ',') FROM public.dionysus_outboxes) || ' ' ||
                          (SELECT string_agg(topic, ',') FROM billing.dionysus_outboxes)
                        """
                    )
                    .first?
                    .text(0)
            }
            #expect(counts == "v1_areas v9_areas")
            try await shops.uninstall()
            #expect(try await billing.validate() == [])
            await first.close()
            await second.close()
        }
    }
}

private struct OtherApplication: Producer {
    var namespaces: [Namespace] {
        Namespace("v9", serializers: Serializers { Whole(Area.self) }) { Topic("areas") { Publish(Area.self) } }
    }
}
