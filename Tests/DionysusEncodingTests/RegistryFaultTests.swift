import Dionysus
import DionysusProducer
import DionysusRegistryTesting
import DionysusSchemas
import ServiceLifecycle
import TestSupport
import Testing

/// What a registry does wrong, or refuses, with a relay that publishes.
@Suite
struct RegistryFaultTests {
    private static let avro = TopicEncoding.record(.avro(key: .field("id")))

    @Test(
        "while the registry is away rows wait, no attempt is counted, and order is kept",
        arguments: TestDatabaseKind.available
    )
    func away(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            trial.schemas.inject(.away)
            let group = ServiceGroup(services: [trial.relayService(.continuous)], logger: FeedTrial.logger)
            async let running: Void = group.run()
            // The relay has asked, and asks again.
            while trial.schemas.requests.count < 6 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(try await trial.outbox().allSatisfy { $0.state == "pending" && $0.attempts == 0 })
            #expect(try await trial.messages().isEmpty)
            trial.schemas.removeFaults()
            while try await trial.outbox().contains(where: { $0.state != "published" }) {
                try await Task.sleep(for: .milliseconds(20))
            }
            await group.triggerGracefulShutdown()
            try await running
            try await trial.consume()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
            let versions = try await trial.messages()
                .map { message in
                    message.headers.first { $0.name == "dionysus-version" }
                        .map { String(decoding: $0.value, as: UTF8.self) } ?? ""
                }
            #expect(versions == versions.sorted())
        }
    }

    @Test("a relay that ends when it is done says what waits for the registry", arguments: TestDatabaseKind.available)
    func untilEmpty(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            trial.schemas.inject(.away)
            try await trial.relay()
            let refused = try await OutboxInspector(database: trial.source).refusedModels()
            #expect(refused.map(\.modelName) == ["Booking"])
            #expect(refused.first?.reason.contains("registry") == true)
            trial.schemas.removeFaults()
            try await trial.relay()
            #expect(try await trial.outbox().allSatisfy { $0.state == "published" })
        }
    }

    @Test("rows wait for a schema that is yet to be pushed", arguments: TestDatabaseKind.available)
    func pushed(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            var settings = trial.schemas.settings
            settings.registration = .pushed
            var waiting = trial
            waiting.producer.schemaRegistry = try SchemaRegistryClient(settings, transport: trial.schemas)
            try await waiting.relay()
            let rows = try await trial.outbox()
            #expect(rows.contains { $0.state == "pending" } && rows.allSatisfy { $0.attempts == 0 })
            #expect(try await trial.messages().isEmpty)
            // This relay registers it.
            try await trial.relay()
            try await trial.expectPublished()
        }
    }

    @Test("an incompatible schema fails the rows with the registry's words", arguments: TestDatabaseKind.available)
    func incompatible(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            let other =
                #"{"type":"record","name":"Booking","namespace":"feed","fields":[{"name":"id","type":"string"}]}"#
            _ = try await client.register(RegistrySchema(.avro, other), under: "\(FeedTrial.topic)-value")
            try await trial.writeBooking()
            try await trial.relay()
            let rows = try await trial.outbox()
            #expect(rows.contains { $0.state == "failed" && $0.attempts == 1 && $0.error.contains("409") })
            #expect(try await trial.messages().isEmpty)
        }
    }

    @Test("a registry that doesn't let the relay in ends it with its words", arguments: TestDatabaseKind.available)
    func refused(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            trial.schemas.inject(.error(401, "who are you"))
            let error = await #expect(throws: DionysusError.self) {
                try await trial.relayService(.continuous).run()
            }
            #expect(error?.code == .accessDenied)
            #expect(error?.description.contains("who are you") == true)
            #expect(try await trial.outbox().allSatisfy { $0.state == "pending" && $0.attempts == 0 })
        }
    }

    @Test(
        "the registry is asked once for each schema, however many batches there are",
        arguments: TestDatabaseKind.available
    )
    func askedOnce(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            var settings = trial.producer
            settings.batchSize = 1
            var copy = trial
            copy.producer = settings
            try await copy.relay()
            let registrations = trial.schemas.requests.filter { $0.method == "POST" }.map(\.path)
            #expect(registrations.count == Set(registrations).count)
        }
    }

    @Test(
        "a consumer waits for a registry that is away, and ends if it isn't let in",
        arguments: TestDatabaseKind.available
    )
    func consumer(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            trial.schemas.inject(.error(401, "who are you"))
            let error = await #expect(throws: DionysusError.self) { try await trial.consume() }
            #expect(error?.code == .accessDenied)
            try await trial.expectCopies([])
            trial.schemas.removeFaults()
            trial.schemas.inject(.away, times: 9)
            try await trial.consume()
            #expect(try await trial.copies().count == 3)
            try await trial.expectFailures(0)
        }
    }
}
