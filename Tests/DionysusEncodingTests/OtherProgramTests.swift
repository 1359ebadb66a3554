import Dionysus
import DionysusSchemas
import TestSupport
import Testing

/// Messages of other programs, which have no headers of ours.
@Suite
struct OtherProgramTests {
    private static let avro = TopicEncoding.record(.avro(key: .field("id")))

    /// Writes bookings as another program does, by a schema of its own.
    private struct Writer {
        let values: SchemaSerde<AvroFormat<JSON>>
        let keys: SchemaSerde<AvroFormat<JSON>>

        init(_ trial: FeedTrial, _ schema: String) throws {
            let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
            values = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: schema)), registry: client)
            keys = SchemaSerde(
                AvroFormat.json(try AvroSchema(parsing: schema).keySchema(field: "id")),
                registry: client,
                part: .key
            )
        }

        func message(_ id: Int64, _ value: JSON?) async throws -> (key: [UInt8]?, value: [UInt8]?) {
            let key = try await keys.serialize(["id": .integer(id)], topic: FeedTrial.topic).bytes
            guard let value else { return (key, nil) }
            return (key, try await values.serialize(value, topic: FeedTrial.topic).bytes)
        }
    }

    private static func schema(_ fields: String) -> String {
        #"{"type":"record","name":"Booking","namespace":"feed","fields":[{"name":"id","type":"long"},\#(fields)]}"#
    }

    private static let first = schema(
        #"{"name":"start_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"final_price","type":"string"}"#
    )

    @Test(
        "records arrive in the order of their offsets, and a null value deletes by its key",
        arguments: TestDatabaseKind.available
    )
    func arrives(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            let writer = try Writer(trial, Self.first)
            let old: JSON = ["id": 1, "start_at": "2026-01-01T00:00:00Z", "final_price": "1.5"]
            let new: JSON = ["id": 1, "start_at": "2025-01-01T00:00:00Z", "final_price": "2.5"]
            try await trial.send([
                writer.message(1, old), writer.message(2, old.with("id", 2)), writer.message(1, new),
                writer.message(2, nil),
            ])
            try await trial.consume()
            try await trial.expectCopies(["1 - 2.50 2025-01-01T00:00:00Z"])

            try await trial.send([writer.message(2, old.with("id", 2)), writer.message(1, nil)])
            try await trial.consume()
            try await trial.expectCopies(["2 - 1.50 2026-01-01T00:00:00Z"])
        }
    }

    @Test("a newer version of the writer's schema is read as the reader's own", arguments: TestDatabaseKind.available)
    func evolved(_ kind: TestDatabaseKind) async throws {
        let own = Self.schema(
            #"{"name":"start_at","type":{"type":"long","logicalType":"timestamp-millis"}},"#
                + #"{"name":"final_price","type":"string","aliases":["price"],"default":"0"}"#
        )
        let newer = Self.schema(
            #"{"name":"mood","type":"string","default":"good"},"#
                + #"{"name":"start_at","type":{"type":"long","logicalType":"timestamp-millis"}}"#
        )
        let reading = TopicEncoding.record(.avro(.text(own), key: .field("id")))
        try await FeedTrial.run(kind, Self.avro, reading: reading) { trial in
            let (old, new) = (try Writer(trial, Self.first), try Writer(trial, newer))
            try await trial.send([
                old.message(1, ["id": 1, "start_at": "2026-01-01T00:00:00Z", "final_price": "1.5"]),
                new.message(2, ["id": 2, "start_at": "2026-01-01T00:00:00Z", "mood": "bad"]),
            ])
            try await trial.consume()
            try await trial.expectCopies(["1 - 1.50 2026-01-01T00:00:00Z", "2 - 0.00 2026-01-01T00:00:00Z"])
        }
    }

    @Test("bytes that are no record fail, and the messages around them arrive", arguments: TestDatabaseKind.available)
    func hostile(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, Self.avro) { trial in
            let writer = try Writer(trial, Self.first)
            let good = try await writer.message(1, ["id": 1, "start_at": "2026-01-01T00:00:00Z", "final_price": "1.5"])
            let value = try #require(good.value)
            let hostile: [[UInt8]] = [
                [], [0], [0, 0, 0, 0], [1, 0, 0, 0, 1, 2], Array("{\"id\":1}".utf8), Array(value.dropLast(3)),
                value + [0],
                [0, 0, 0, 0xff, 0xff, 2, 2],
                Array(value.prefix(5)) + [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ]
            try await trial.send(
                [good] + hostile.map { (good.key, $0) } + [writer.message(2, nil), ([0, 1], nil), (nil, nil)]
            )
            try await trial.consume()
            try await trial.expectCopies(["1 - 1.50 2026-01-01T00:00:00Z"])
            // Each of them, and the two whose keys name no record.
            try await trial.expectFailures(hostile.count + 2)
        }
    }
}
