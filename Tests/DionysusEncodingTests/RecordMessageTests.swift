import Dionysus
import DionysusConsumer
import DionysusSchemas
import Foundation
import TestSupport
import Testing

@testable import DionysusProducer

/// What the messages of records are like, and what else is done with them.
@Suite
struct RecordMessageTests {
    private static let avro = TopicEncoding.record(.avro(key: .field("id")))

    private static func read(
        _ bytes: [UInt8]?,
        _ trial: FeedTrial,
        _ part: MessagePart = .value
    ) async throws -> JSON {
        let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
        return try await SchemaSerde(AvroFormat.json(), registry: client, part: part).deserialize(bytes ?? [])
    }

    @Test(
        "a JSON record has attributes, ids of links and the records that came along",
        arguments: TestDatabaseKind.available
    )
    func json(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.json)) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let message = try #require(try await trial.messages().last)
            let record = try JSON(parsing: message.value ?? [])
            #expect(message.key == Array("7".utf8))
            #expect(
                record["final_price"] == "550.50" && record["rental_id"] == 1 && record["bookings_fee_ids"] == [1, 2]
            )
            #expect(record["links"] == nil)
            guard case .array(let fees)? = record["bookings_fees"] else {
                Issue.record("the fees are missing")
                return
            }
            #expect(fees.map { $0["amount"] } == ["40.50", "10.00"] && fees.first?["booking_id"] == 7)
        }
    }

    @Test(
        "a schema of one's own gets what it has fields for, and an id and a time of its own",
        arguments: TestDatabaseKind.available
    )
    func ownSchema(_ kind: TestDatabaseKind) async throws {
        let schema = """
            {"type":"record","name":"Stay","namespace":"com.example","fields":[
              {"name":"final_price","type":"string"},{"name":"id","type":"string"},
              {"name":"message_id","type":{"type":"string","logicalType":"uuid"}},
              {"name":"timestamp","type":"string"},{"name":"rating","type":"int","default":3},
              {"name":"note","type":["null","string"],"default":null},
              {"name":"start_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}
            """
        try await FeedTrial.run(kind, .record(.avro(.text(schema), key: .field("id")))) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let message = try #require(try await trial.messages().last)
            let record = try await Self.read(message.value, trial)
            #expect(record["final_price"] == "550.50" && record["id"] == "7" && record["rating"] == 3)
            #expect(record["start_at"] == "2026-12-24T15:00:00.000Z" && record["note"] == .null)
            #expect(record["bookings_fees"] == nil)
            guard case .string(let id)? = record["message_id"] else {
                Issue.record("there is no id")
                return
            }
            #expect(UUID(uuidString: id) != nil)
            #expect(try await Self.read(message.key, trial, .key) == ["id": "7"])
        }
    }

    @Test("a schema with a field that nothing fills is a fault", arguments: TestDatabaseKind.available)
    func unfilled(_ kind: TestDatabaseKind) async throws {
        let schema =
            #"{"type":"record","name":"Stay","fields":[{"name":"id","type":"long"},{"name":"mood","type":"string"}]}"#
        try await FeedTrial.run(kind, .record(.avro(.text(schema)))) { trial in
            let faults = try await OutboxSchema(database: trial.source, registry: trial.registry).validate()
            #expect(faults.count == 1 && faults[0].contains("mood"))
            await #expect(throws: DionysusError.self) { try await trial.relay() }
        }
    }

    @Test("records of a link to several fill no single record, and no key", arguments: TestDatabaseKind.available)
    func misshapen(_ kind: TestDatabaseKind) async throws {
        let schema = """
            {"type":"record","name":"Stay","fields":[{"name":"id","type":"long"},{"name":"bookings_fees","type":["null",
              {"type":"record","name":"BookingsFee","fields":[{"name":"id","type":"long"}]}],"default":null}]}
            """
        for encoding in [TopicEncoding.record(.avro(.text(schema))), .record(.json(key: .field("bookings_fees")))] {
            try await FeedTrial.run(kind, encoding) { trial in
                let faults = try await OutboxSchema(database: trial.source, registry: trial.registry).validate()
                #expect(faults.count == 1 && faults[0].contains("bookings_fees"))
            }
        }
    }

    @Test("an encoding without its registry, or keys that collide, is a fault")
    func faults() {
        let feed = Feed(encoding: Self.avro, genesisReplica: false)
        #expect(Registry(feed).faults.isEmpty)
        let noKeys = Registry(Feed(encoding: .record(.json(key: .none)), genesisReplica: false))
        #expect(noKeys.faults.contains { $0.contains("mark deletions") })
        let auto = Registry(Feed(encoding: .auto, genesisReplica: false))
        #expect(auto.faults.contains { $0.contains(".auto") })
    }

    @Test("a genesis topic holds records too, of schemas of its own subjects", arguments: TestDatabaseKind.available)
    func genesis(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro, genesisReplica: true) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let (own, copies) = (try await trial.messages(), try await trial.messages(in: "feed_bookings_genesis"))
            #expect(own.count == copies.count && !own.isEmpty)
            let last = try #require(copies.last)
            #expect(try await Self.read(last.value, trial) == Self.read(own.last?.value, trial))
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            #expect(try await client.subjects().contains("feed_bookings_genesis-value"))
        }
    }

    @Test("a record is previewed as people read it", arguments: TestDatabaseKind.available)
    func preview(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            let found = try #require(try await trial.preview())
            #expect(found.key == #"{"id":7}"#)
            #expect(try JSON(parsing: found.value)["final_price"] == "550.50")
        }
    }

    @Test("a tombstone of the command cleans the log and removes nothing", arguments: TestDatabaseKind.available)
    func tombstone(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
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
            let keys = Set(messages.map(\.key))
            #expect(keys.count == 1 && messages.contains { $0.value == nil })
            try await trial.consume()
            #expect(try await trial.copies().count == 3)
        }
    }

    @Test("an event of the log is handled once more as it was read", arguments: TestDatabaseKind.available)
    func replay(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.consume()
            _ = try await trial.replica.transaction(.write) {
                try $0.run(["DELETE FROM bookings", "DELETE FROM bookings_fees"])
            }
            let events = try await ConsumerEvents(trial.mirror, database: trial.replica, settings: trial.consumer)
            let last = try #require(try await events.list(EventLogFilter()).last)
            _ = try await events.retry([last.id])
            #expect(try await trial.copies().count == 3)
        }
    }

    @Test(
        "an outdated record or envelope changes nothing",
        arguments: TestDatabaseKind.available,
        [Self.avro, FeedEnvelope.avro]
    )
    func outdated(_ kind: TestDatabaseKind, _ encoding: TopicEncoding) async throws {
        try await FeedTrial.run(kind, encoding) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.consume()
            let first = try #require(try await trial.messages().last)
            try await trial.write("UPDATE bookings SET base_price = 900 WHERE id = 7")
            try await trial.relay()
            try await trial.consume()
            // The same bytes again, from another partition.
            try await trial.send([(first.key, first.value)], headers: first.headers)
            try await trial.consume()
            #expect(try await trial.copies().first == "7 1 950.50 2026-12-24T15:00:00Z")
        }
    }

    @Test("a record that can't be stored is applied after an edit in JSON", arguments: TestDatabaseKind.available)
    func edited(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            let serde = SchemaSerde(
                AvroFormat.json(try AvroSchema(parsing: RoundTripTests.schema)),
                registry: client
            )
            let record = FeedEnvelope.booking(2, price: "2.50").with("rental_id", "nowhere")
            let value = try await serde.serialize(record, topic: FeedTrial.topic).bytes
            try await trial.send([(Array("2".utf8), value)])
            try await trial.consume()
            try await trial.expectFailures(1)
            let failures = ConsumerFailures(
                trial.mirror,
                database: trial.replica,
                broker: trial.broker,
                settings: trial.consumer,
                logger: FeedTrial.logger
            )
            let id = try #require(try await failures.list().first?.id)
            #expect(try await failures.retry(id, with: record.bytes).outcome == .failed)
            #expect(try await failures.retry(id, with: record.with("rental_id", 4).bytes).outcome == .applied)
            try await trial.expectFailures(0)
            try await trial.expectCopies(["2 4 2.50 2026-05-01T12:00:00Z"])
        }
    }
}
