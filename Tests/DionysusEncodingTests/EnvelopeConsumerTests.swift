import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// How envelopes in formats are applied.
@Suite
struct EnvelopeConsumerTests {
    private static let version = [MessageHeader(HeaderName.version, Array("100".utf8))]

    /// Two bookings of which one changes and the other ends, all in one message.
    private static let story = [
        FeedEnvelope.event(
            "booking_created",
            FeedEnvelope.booking(1, price: "1.50", fees: [FeedEnvelope.fee(5, of: 1, amount: "0.50")]),
            FeedEnvelope.booking(2, price: "2.50")
        ),
        FeedEnvelope.event(
            "booking_updated",
            FeedEnvelope.booking(1, price: "9.50", updatedAt: 2, fees: [FeedEnvelope.fee(5, of: 1, amount: "0.50")])
        ),
        FeedEnvelope.event("booking_destroyed", FeedEnvelope.remains(of: 2)),
    ]

    @Test(
        "several events of one message are applied in their order, with the records that came along",
        arguments: TestDatabaseKind.available,
        [FeedEnvelope.avro, .auto]
    )
    func several(_ kind: TestDatabaseKind, _ reading: TopicEncoding) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro, reading: reading) { trial in
            let value = try await FeedEnvelope.encode(Self.story, trial)
            try await trial.send([(Array("1".utf8), value)], headers: Self.version)
            try await trial.consume()
            try await trial.expectFailures(0)
            try await trial.expectCopies(["1 3 9.50 2026-05-01T12:00:00Z", "5 1 cleaning 0.50"])
            let events = try await ConsumerEvents(trial.mirror, database: trial.replica, settings: trial.consumer)
            let logged = try await events.list(EventLogFilter())
            #expect(logged.map(\.number) == [0, 1, 2, 3])
            #expect(logged.map(\.entityID) == ["1", "2", "1", "2"])
        }
    }

    @Test("a tombstone of the command cleans the log and removes nothing", arguments: TestDatabaseKind.available)
    func tombstone(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let publisher = TombstonePublisher(
                trial.registry,
                database: trial.source,
                broker: trial.broker,
                settings: trial.producer
            )
            try await publisher.publish("Booking", id: "7", topic: FeedTrial.topic, force: true)
            let messages = try await trial.messages()
            #expect(Set(messages.map(\.key)).count == 1 && messages.contains { $0.value == nil })
            try await trial.consume()
            try await trial.expectFailures(0)
            #expect(try await trial.copies().count == 3)

            // A consumer may take it for the record's end: its key says which.
            var settings = trial.consumer
            settings.groupID = "deleting"
            try await trial.consume(Deleting(encoding: FeedEnvelope.avro), settings)
            try await trial.expectFailures(0)
            #expect(try await trial.copies().first?.hasPrefix("7") != true)
        }
    }

    private struct Deleting: Consumer {
        let encoding: TopicEncoding

        var namespaces: [Namespace] {
            Namespace("feed") {
                Topic("bookings", encoding: encoding, accepting: ["Booking", "BookingsFee"]).deletingOnTombstone()
            }
        }

        var models: Models { Persist("Booking", table: "bookings").replacing("bookings_fees") }
    }

    /// How the value of a failed message is framed.
    struct Failing: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let encoding: TopicEncoding
        let reading: TopicEncoding

        static let all = [
            Failing(testDescription: "Avro", encoding: FeedEnvelope.avro, reading: FeedEnvelope.avro),
            Failing(testDescription: "Avro, found out", encoding: FeedEnvelope.avro, reading: .auto),
            Failing(
                testDescription: "Avro, bare",
                encoding: .envelope(.avro(framing: .bare)),
                reading: .envelope(.avro(.text(FeedEnvelope.schema), framing: .bare))
            ),
        ]
    }

    @Test(
        "an envelope with a record that can't be stored fails whole, and is applied after an edit",
        arguments: TestDatabaseKind.available,
        Failing.all
    )
    func edited(_ kind: TestDatabaseKind, _ failing: Failing) async throws {
        try await FeedTrial.run(kind, failing.encoding, reading: failing.reading) { trial in
            let good = FeedEnvelope.booking(1, price: "1.50", fees: [FeedEnvelope.fee(5, of: 1, amount: "0.50")])
            let bad = FeedEnvelope.booking(2, price: "2.50").with("rental_id", "nowhere")
            let events = [FeedEnvelope.event("booking_created", good), FeedEnvelope.event("booking_created", bad)]
            let isBare = failing.encoding.format?.framing == .bare
            let value =
                isBare
                ? try AvroSchema(parsing: FeedEnvelope.schema).encode(coercing: ["message": .array(events)])
                : try await FeedEnvelope.encode(events, trial)
            try await trial.send([(Array("2".utf8), value)], headers: Self.version)
            try await trial.consume()
            try await trial.expectFailures(1)
            try await trial.expectCopies([])

            let failures = ConsumerFailures(
                trial.mirror,
                database: trial.replica,
                broker: trial.broker,
                settings: trial.consumer,
                logger: FeedTrial.logger
            )
            let failure = try #require(try await failures.list().first)
            #expect(try await failures.retry([failure.id]).map(\.outcome) == [.failed])
            #expect(try await failures.retry(failure.id, with: Array(#"{"message": [{}]}"#.utf8)).outcome == .failed)
            let message = try #require(try await failures.message(failure.id))
            let shown = await failures.readable(message).record
            if !isBare { #expect(shown?.text.contains(#""nowhere""#) == true) }
            let document = shown ?? ["message": .array(events)]
            let mended = Array(document.text.replacing(#""nowhere""#, with: "4").utf8)
            #expect(try await failures.retry(failure.id, with: mended).outcome == .applied)
            try await trial.expectFailures(0)
            try await trial.expectCopies([
                "1 3 1.50 2026-05-01T12:00:00Z", "2 4 2.50 2026-05-01T12:00:00Z", "5 1 cleaning 0.50",
            ])
        }
    }

    @Test("an event of the log is handled once more as it was read", arguments: TestDatabaseKind.available)
    func replay(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.consume()
            _ = try await trial.replica.transaction(.write) {
                try $0.run(["DELETE FROM bookings", "DELETE FROM bookings_fees"])
            }
            let events = try await ConsumerEvents(trial.mirror, database: trial.replica, settings: trial.consumer)
            let last = try #require(try await events.list(EventLogFilter()).last)
            _ = try await events.retry([last.id])
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
        }
    }

    @Test(
        "a consumer with an earlier schema reads what a later one has written",
        arguments: TestDatabaseKind.available
    )
    func evolution(_ kind: TestDatabaseKind) async throws {
        // The consumer's schema lacks the rental, and has a field that nobody writes.
        let earlier = FeedEnvelope.schema
            .replacing(#"{"name": "rental_id", "type": ["null", "long", "string"], "default": null},"#, with: "")
            .replacing(
                #"{"name": "id", "type": "long"},"#,
                with: #"{"name": "id", "type": "long"}, {"name": "mood", "type": "int", "default": 3},"#
            )
        #expect(earlier != FeedEnvelope.schema && !earlier.contains("rental_id") && earlier.contains("mood"))
        let reading = TopicEncoding.envelope(.avro(.text(earlier), key: .field("id")))
        try await FeedTrial.run(kind, FeedEnvelope.avro, reading: reading) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.consume()
            try await trial.expectFailures(0)
            #expect(try await trial.copies().first == "7 - 550.50 2026-12-24T15:00:00Z")

            // Events of a model that is new to it fail alone.
            let car = #"{"type":"record","name":"Car","namespace":"feed","fields":[{"name":"wheels","type":"int"}]}"#
            let later = FeedEnvelope.schema(of: [RoundTripTests.schema, FeedEnvelope.remains, car])
            let booking = FeedEnvelope.event("booking_created", FeedEnvelope.booking(8, price: "8.50"))
            let other: JSON = ["event": "car_created", "model_name": "Car", "data": [["wheels": 4]]]
            for event in [other, booking] {
                let value = try await FeedEnvelope.encode([event], trial, schema: later)
                try await trial.send([(nil, value)], headers: Self.version)
            }
            try await trial.consume()
            try await trial.expectFailures(1)
            #expect(try await trial.copies().contains("8 - 8.50 2026-05-01T12:00:00Z"))
        }
        // A consumer without one takes what it has columns for.
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let later = FeedEnvelope.schema.replacing(
                #""default": null},"#,
                with: #""default": null}, {"name": "mood", "type": ["null", "string"], "default": null},"#,
                maxReplacements: 1
            )
            let booking = FeedEnvelope.booking(8, price: "8.50").with("mood", "fine")
            let event = FeedEnvelope.event("booking_created", booking)
            try await trial.send([(nil, FeedEnvelope.encode([event], trial, schema: later))], headers: Self.version)
            try await trial.consume()
            try await trial.expectFailures(0)
            #expect(try await trial.copies().contains("8 3 8.50 2026-05-01T12:00:00Z"))
        }
    }

    @Test(
        "the schema tells an envelope from a record that has a list of the same name",
        arguments: TestDatabaseKind.available
    )
    func told(_ kind: TestDatabaseKind) async throws {
        let record = """
            {"type":"record","name":"Booking","namespace":"other","fields":[{"name":"id","type":"long"},
              {"name":"final_price","type":"string"},{"name":"message","type":{"type":"array","items":"string"}}]}
            """
        try await FeedTrial.run(kind, FeedEnvelope.avro, reading: .auto) { trial in
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            let serde = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: record)), registry: client)
            let value =
                try await serde.serialize(
                    ["id": 4, "final_price": "4.50", "message": ["hello"]],
                    topic: "other"
                )
                .bytes
            try await trial.send([(Array("4".utf8), value)])
            try await trial.send([(Array("1".utf8), FeedEnvelope.encode(Self.story, trial))], headers: Self.version)
            try await trial.consume()
            try await trial.expectFailures(0)
            try await trial.expectCopies([
                "1 3 9.50 2026-05-01T12:00:00Z", "4 - 4.50 -", "5 1 cleaning 0.50",
            ])
        }
    }

    @Test("envelopes go through Kafka", arguments: TestDatabaseKind.available)
    func kafka(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro, onKafka: true) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
        }
    }
}
