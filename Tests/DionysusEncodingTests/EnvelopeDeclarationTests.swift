import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

@testable import Rentals

/// Topics of envelopes in formats: several models in one, and what can't be.
@Suite
struct EnvelopeDeclarationTests {
    private struct Stays: Producer {
        var encoding: TopicEncoding = .envelope(.avro(key: .message))

        var namespaces: [Namespace] {
            Namespace("feed", serializers: BookingSync().serializers) {
                Topic("stays", encoding: encoding, partitionKey: .messageKey) {
                    Publish(Rental.self).observing(Account.self, .defaultCheckInTime, through: Account.rentals)
                    Publish(Booking.self, with: Booking.fees)
                }
            }
        }
    }

    private struct StayMirror: Consumer {
        let encoding: TopicEncoding

        var namespaces: [Namespace] {
            Namespace("feed") {
                Topic("stays", encoding: encoding, accepting: ["Rental", "Booking", "BookingsFee"])
            }
        }

        var models: Models {
            Persist("Rental", table: "rentals")
            Persist("Booking", table: "bookings").replacing("bookings_fees")
        }
    }

    @Test(
        "the models of a topic share one schema of the registry",
        arguments: TestDatabaseKind.available,
        [TopicEncoding.envelope(.avro(key: .message)), .auto]
    )
    func severalModels(_ kind: TestDatabaseKind, _ reading: TopicEncoding) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            let registry = Registry(Stays(), settings: trial.producer)
            try await OutboxSchema(database: trial.source, registry: registry).migrate(lanes: trial.producer.lanes)
            func relay() async throws {
                try await RelayService(
                    registry,
                    database: trial.source,
                    broker: trial.broker,
                    settings: trial.producer,
                    mode: .untilEmpty,
                    logger: FeedTrial.logger
                )
                .run()
                try await trial.expectPublished()
                try await trial.consume(StayMirror(encoding: reading))
                try await trial.expectFailures(0)
            }
            let rentals: SQL = "SELECT synced_id, name FROM rentals ORDER BY synced_id"
            try await trial.writeBooking()
            try await relay()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
            #expect(try await trial.lines(trial.replica, rentals) == ["1 Loft"])
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            #expect(try await client.subjects() == ["feed_stays-value"])
            #expect(try await client.versions(of: "feed_stays-value") == [1])

            try await trial.write(
                "DELETE FROM bookings_fees",
                "DELETE FROM bookings",
                "DELETE FROM rentals"
            )
            try await relay()
            try await trial.expectCopies([])
            #expect(try await trial.lines(trial.replica, rentals) == [])
        }
    }

    @Test("a schema that is no envelope's is a fault on both sides", arguments: TestDatabaseKind.available)
    func noEnvelope(_ kind: TestDatabaseKind) async throws {
        let encoding = TopicEncoding.envelope(.avro(.text(RoundTripTests.schema)))
        try await FeedTrial.run(kind, encoding) { trial in
            let faults = try await OutboxSchema(database: trial.source, registry: trial.registry).validate()
            #expect(faults.count == 1 && faults[0].contains("not that of an envelope"))
            let consumed = ConsumedTopics(trial.mirror, settings: trial.consumer).faults
            #expect(consumed.count == 1 && consumed[0].contains("not that of an envelope"))
        }
        let foreign = FeedEnvelope.schema(of: [
            #"{"type":"record","name":"Car","fields":[{"name":"id","type":"long"}]}"#,
            #"{"type":"record","name":"Bus","fields":[{"name":"id","type":"long"}]}"#,
        ])
        try await FeedTrial.run(kind, .envelope(.avro(.text(foreign)))) { trial in
            let faults = try await OutboxSchema(database: trial.source, registry: trial.registry).validate()
            #expect(faults.count == 1 && faults[0].contains("can't be records of Booking"))
        }
    }

    @Test("keys that collide and messages that are no events are faults; envelopes need no keys")
    func faults() {
        #expect(Registry(Feed(encoding: .envelope(.avro(key: .none)), genesisReplica: false)).faults.isEmpty)
        #expect(Registry(Stays()).faults.isEmpty)
        #expect(Registry(Stays(encoding: .envelope(.avro))).faults.contains { $0.contains("keys of several models") })
        let single = Feed(encoding: .envelope(.jsonSchema(framing: .container)), genesisReplica: false)
        #expect(Registry(single).faults.contains { $0.contains("only Avro") })
        #expect(Registry(Notices()).faults.contains { $0.contains("no model's are no events") })
    }

    private struct Notices: Producer {
        var namespaces: [Namespace] {
            Namespace("feed") { Topic(messages: "notices", encoding: .envelope(.avro)) }
        }
    }
}
