import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// What the messages of envelopes in formats are like.
@Suite
struct EnvelopeMessageTests {
    private static func text(_ message: ConsumedMessage, _ header: String) -> String? {
        message.headers.last { $0.name == header }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test(
        "an Avro envelope has one schema for its topic, which the contract has too",
        arguments: TestDatabaseKind.available
    )
    func schema(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            let registered = try await client.latestSchema(of: "feed_bookings-value")
            let expected = try AvroSchema(parsing: FeedEnvelope.schema)
            #expect(try AvroSchema(parsing: registered.schema.text) == expected)
            #expect(try trial.registry.contract.avroSchemas == .array([expected.document]))

            let messages = try await trial.messages()
            let message = try #require(messages.last)
            #expect(messages.allSatisfy { Self.text($0, HeaderName.event) == nil })
            #expect(Self.text(message, HeaderName.schema) == "feed_bookings-value:1")
            let event = try #require(try await trial.decoded(message).events.first)
            #expect(event.name == "booking_updated" && event.model == "Booking" && event.data.count == 1)
            let record = try #require(event.data.first)
            #expect(record["final_price"] == "550.50" && record["rental_id"] == 1 && record["links"] == nil)
            #expect(record["bookings_fee_ids"] == [1, 2])
        }
    }

    @Test(
        "what is left of a deleted record is marked, and a soft-deleted one is whole",
        arguments: TestDatabaseKind.available
    )
    func ends(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.write("UPDATE bookings SET canceled_at = '2026-02-01T00:00:00.000000Z' WHERE id = 7")
            try await trial.relay()
            let end = try #require(try await trial.messages().last)
            let canceled = try #require(try await trial.decoded(end).events.first)
            #expect(canceled.name == "booking_destroyed" && canceled.data.first?["final_price"] == "550.50")

            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            let last = try #require(try await trial.messages().last)
            let deleted = try #require(try await trial.decoded(last).events.first)
            #expect(deleted.name == "booking_destroyed" && deleted.model == "Booking")
            #expect(deleted.data.first?["id"] == 7 && deleted.data.first?["__deleted"] == true)
            #expect(deleted.data.first?["final_price"] == .null)

            try await trial.consume()
            let events = try await ConsumerEvents(trial.mirror, database: trial.replica, settings: trial.consumer)
            let logged = try #require(try await events.list(EventLogFilter()).last)
            #expect(logged.payload == #"{"event":"booking_destroyed","model_name":"Booking","data":[{"id":7}]}"#)
        }
    }

    @Test(
        "envelopes of a JSON Schema are those that JSON has, behind the schema's id",
        arguments: TestDatabaseKind.available
    )
    func jsonSchema(_ kind: TestDatabaseKind) async throws {
        func values(_ encoding: TopicEncoding) async throws -> [JSON] {
            var values: [JSON] = []
            try await FeedTrial.run(kind, encoding) { trial in
                try await trial.write(
                    "INSERT INTO accounts (id, name) VALUES (1, 'Acme')",
                    "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'Loft')",
                    """
                    INSERT INTO bookings (id, rental_id, start_at, created_at, updated_at) VALUES (7, 1, '2026-12-24T15:00:00.000000Z',
                      '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')
                    """
                )
                try await trial.relay()
                try await trial.write("DELETE FROM bookings")
                try await trial.relay()
                try await trial.expectPublished()
                let isFramed = encoding.format != nil
                values = try await trial.messages()
                    .map { message in
                        let value = message.value ?? []
                        #expect((value.first == 0) == isFramed)
                        return try JSON(parsing: value.dropFirst(isFramed ? 5 : 0))
                    }
                guard isFramed else { return }
                let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
                let schema = try await client.latestSchema(of: "feed_bookings-value").schema
                let checker = try JSONSchema(JSON(parsing: Array(schema.text.utf8)))
                for value in values { try checker.check(value) }
                #expect(throws: DionysusError.self) { try checker.check(["message": [["event": "booking_sold"]]]) }
            }
            return values
        }
        let plain = try await values(.envelope)
        #expect(plain.count == 2)
        #expect(try await values(.envelope(.jsonSchema(key: .message))) == plain)
    }

    @Test("a schema of one's own gets what it has fields for", arguments: TestDatabaseKind.available)
    func ownSchema(_ kind: TestDatabaseKind) async throws {
        let schema = """
            {"type":"record","name":"Changes","fields":[{"name":"source","type":"string","default":"bookings"},
              {"name":"message","type":{"type":"array","items":{"type":"record","name":"Change","fields":[
                {"name":"data","type":{"type":"array","items":{"type":"record","name":"Stay","fields":[
                  {"name":"id","type":"long"},{"name":"final_price","type":["null","string"],"default":null}]}}},
                {"name":"model_name","type":"string"},{"name":"note","type":["null","string"]},
                {"name":"event","type":{"type":"enum","name":"Kind","symbols":["booking_destroyed","booking_updated","booking_created"]}}
              ]}}}]}
            """
        try await FeedTrial.run(kind, .envelope(.avro(.text(schema)))) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            let last = try #require(try await trial.messages().last?.value)
            let value = try await SchemaSerde(AvroFormat.json(), registry: client)
                .deserialize(last)
            let change: JSON = [
                "data": [["id": 7, "final_price": "550.50"]], "model_name": "Booking", "note": .null,
                "event": "booking_updated",
            ]
            #expect(value == ["source": "bookings", "message": [change]])
            try await trial.consume()
            try await trial.expectCopies(["7 - 550.50 -"])
            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies([])
            try await trial.expectFailures(0)
        }
    }

    @Test("a genesis topic holds envelopes of schemas of its own subjects", arguments: TestDatabaseKind.available)
    func genesis(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro, genesisReplica: true) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let (own, copies) = (try await trial.messages(), try await trial.messages(in: "feed_bookings_genesis"))
            #expect(own.count == copies.count && !own.isEmpty)
            let events = try await trial.decoded(#require(copies.last)).events
            #expect(try await trial.decoded(#require(own.last)).events == events && events.count == 1)
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            #expect(try await client.subjects().contains("feed_bookings_genesis-value"))
        }
    }

    @Test("an envelope is previewed as people read it", arguments: TestDatabaseKind.available)
    func preview(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            let found = try #require(try await trial.preview())
            #expect(found.key == #"{"id":7}"#)
            guard case .array(let events)? = try JSON(parsing: found.value)["message"] else {
                Issue.record("the preview is no envelope")
                return
            }
            #expect(events.count == 1 && events[0]["event"] == "booking_updated")
        }
    }

    @Test("a topic's reader shows the events of an Avro envelope", arguments: TestDatabaseKind.available)
    func reading(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, FeedEnvelope.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let reading = TopicReading(
                topic: FeedTrial.topic,
                start: .place(.earliest),
                broker: trial.broker,
                settings: trial.consumer
            )
            var read: [ReadMessage] = []
            _ = try await reading.run { messages in
                read += messages
                return true
            }
            #expect(!read.isEmpty && read.allSatisfy { $0.message.model == "Booking" && $0.keyText == #"{"id":7}"# })
            #expect(read.last?.message.payload?["final_price"] == "550.50")
        }
    }
}
