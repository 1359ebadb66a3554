import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusRegistryTesting
import DionysusSchemas
import DionysusTesting
import Foundation
import Testing

/// What Deimos' manual describes, as it is done here: by the test kit, with a registry in memory.
///
/// What other suites cover is named in `docs/migrating-from-deimos.md`.
@Suite(.timeLimit(.minutes(10)))
struct DeimosTests {
    private static let schema = #"""
        {"type":"record","name":"MySchema","namespace":"com.my-namespace","fields":[
         {"name":"test_id","type":"string"},{"name":"some_int","type":"int"},
         {"name":"price","type":["null","double"],"default":null},
         {"name":"place","type":["null",{"type":"record","name":"Place","fields":[{"name":"city","type":"string"}]}],"default":null},
         {"name":"timestamp","type":"string"},{"name":"message_id","type":"string"}]}
        """#

    struct MySchema: Codable, Sendable {
        struct Place: Codable, Sendable { var city: String }
        var testID: String
        var someInt: Int
        var price: Double?
        var place: Place?

        enum CodingKeys: String, CodingKey {
            case price, place, testID = "test_id", someInt = "some_int"
        }
    }

    private struct Both: Sendable {
        var key: RecordKeyFormat = .field("test_id")
        var double: @Sendable (TopicEncoding) -> TopicEncoding = { $0 }
        var framing = SchemaFraming.registry

        var encoding: TopicEncoding {
            double(
                .record(
                    .avro(
                        .text(DeimosTests.schema.replacing("my-namespace", with: "mynamespace")),
                        key: key,
                        framing: framing
                    )
                )
            )
        }

        var namespaces: [ProducerNamespace] {
            [ProducerNamespace("my") { ProducerTopic(messages: "topic", encoding: encoding) }]
        }

        var consumed: ConsumerTopic {
            ConsumerTopic(messages: "topic", encoding: encoding)
                .handling(messages: MySchema.self) { message, transaction in
                    let text = message.payload.map { "\($0.testID) \($0.someInt)" } ?? "deleted"
                    try transaction.run("INSERT INTO seen (text) VALUES (\("\(message.key?.text ?? "-"): \(text)"))")
                }
        }
    }

    private struct Reading: Consumer {
        let topic: ConsumerTopic
        var models: Consumer.Models = []
        var namespaces: [Namespace] { Namespace("my") { topic } }
    }

    private struct Writing: Producer {
        let both: Both
        var namespaces: [Namespace] { both.namespaces }
    }

    private static func run(_ both: Both, _ body: (ReplicationTest) async throws -> Void) async throws {
        let schemas = InMemorySchemaRegistry()
        var settings = ReplicationSettings()
        settings.producer.schemaRegistry = try SchemaRegistryClient(schemas.settings, transport: schemas)
        settings.consumer.schemaRegistry = try SchemaRegistryClient(schemas.settings, transport: schemas)
        try await ReplicationTest(
            Writing(both: both),
            Reading(topic: both.consumed),
            settings: settings,
            source: { _ in },
            replica: { try $0.run("CREATE TABLE seen (id INTEGER PRIMARY KEY, text TEXT)") },
            body
        )
    }

    private static func publish(_ test: ReplicationTest, _ messages: PlainMessage...) async throws {
        let registry = try #require(test.registry)
        let publisher = try await MessagePublisher(registry, topic: "my_topic", database: test.source.database)
        try await publisher.publish(contentsOf: messages)
        try await test.relay()
    }

    private static let message = PlainMessage(["test_id": "foo", "some_int": "123", "unknown": true])

    @Test func `publish: encoded, with message_id and timestamp filled in, unknown fields dropped`() async throws {
        try await Self.run(Both()) { test in
            try await Self.publish(test, Self.message)
            let sent = try await test.expectMessage(
                ["test_id": "foo", "some_int": 123, "price": .null],
                in: "my_topic"
            )
            #expect(sent.payload?["unknown"] == nil && sent.key == ["test_id": "foo"])
            if case .string(let id)? = sent.payload?["message_id"] {
                #expect(UUID(uuidString: id) != nil)
            } else {
                Issue.record("there is no message_id")
            }
            try await test.settle()
            #expect(try await test.replica.rows("seen").map { $0["text"] } == [#"{"test_id":"foo"}: foo 123"#])
        }
    }

    @Test func `publish: a given message_id and timestamp are not overwritten`() async throws {
        try await Self.run(Both()) { test in
            try await Self.publish(
                test,
                PlainMessage(["test_id": "a", "some_int": 1, "message_id": "mine", "timestamp": "now"])
            )
            try await test.expectMessage(["message_id": "mine", "timestamp": "now"], in: "my_topic")
        }
    }

    @Test func `key_config field: the key is a field, and a message without it is refused`() async throws {
        try await Self.run(Both()) { test in
            let error = await #expect(throws: DionysusError.self) {
                try await Self.publish(test, PlainMessage(["some_int": 1]))
            }
            #expect(error?.description.contains("key") == true)
        }
    }

    @Test func `key_config field: a dotted path leads into a record`() async throws {
        try await Self.run(Both(key: .field("place.city"))) { test in
            try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": 1, "place": ["city": "Paris"]]))
            try await test.expectMessage(["test_id": "a"], key: ["city": "Paris"], in: "my_topic")
        }
    }

    @Test func `key_config schema: the key is a record of its own, and taken as payload_key`() async throws {
        let key =
            #"{"type":"record","name":"MySchema_key","namespace":"com.mynamespace","fields":[{"name":"test_id","type":"string"}]}"#
        try await Self.run(Both(key: .schema(.text(key)))) { test in
            try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": 1], key: ["test_id": "b"]))
            try await test.expectMessage(["test_id": "a"], key: ["test_id": "b"], in: "my_topic")
        }
    }

    @Test func `key_config plain and none: the key as it is, or none`() async throws {
        try await Self.run(Both(key: .plain)) { test in
            try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": 1], key: 789))
            try await test.expectMessage(["test_id": "a"], key: "789", in: "my_topic")
        }
        try await Self.run(Both(key: .none)) { test in
            try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": 1]))
            #expect(try await test.sent(in: "my_topic").map(\.key) == [nil])
        }
    }

    @Test func `a payload that is nil is a tombstone`() async throws {
        try await Self.run(Both()) { test in
            try await Self.publish(test, PlainMessage(nil, key: "foo"))
            #expect(try await test.sent(in: "my_topic").map(\.payload) == [nil])
            try await test.settle()
            #expect(try await test.replica.rows("seen").map { $0["text"] } == [#"{"test_id":"foo"}: deleted"#])
        }
    }

    @Test func `headers and partition keys go with the message`() async throws {
        try await Self.run(Both()) { test in
            let messages = (0..<8)
                .map { number in
                    PlainMessage(
                        ["test_id": .string("\(number)"), "some_int": 1],
                        partitionKey: "one",
                        headers: [MessageHeader("origin", Array("here".utf8))]
                    )
                }
            for message in messages { try await Self.publish(test, message) }
            try await test.expectMessage(["test_id": "7"], headers: ["origin": "here"], in: "my_topic")
            #expect(Set(try await test.sent(in: "my_topic").map(\.partition)).count == 1)
        }
    }

    @Test func `a payload that doesn't fit its schema is refused, with the field's path`() async throws {
        for isDouble in [false, true] {
            try await Self.run(Both(double: { isDouble ? $0.validationOnly : $0 })) { test in
                let error = await #expect(throws: DionysusError.self) {
                    try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": "secret"]))
                }
                #expect(error?.description.contains("some_int") == true)
                #expect(error?.description.contains("secret") == false)
            }
        }
    }

    @Test func `avro_local: bare bytes, single objects and containers need no registry`() async throws {
        for framing in [SchemaFraming.bare, .singleObject, .container] {
            try await Self.run(Both(framing: framing)) { test in
                try await Self.publish(test, Self.message)
                try await test.expectMessage(["test_id": "foo"], in: "my_topic")
                try await test.settle()
                #expect(try await test.replica.rows("seen").count == 1)
            }
        }
    }

    @Test func `avro_validation: JSON that fits the schema, with defaults, readable without it`() async throws {
        try await Self.run(Both(double: { $0.validationOnly })) { test in
            try await Self.publish(test, Self.message)
            let sent = try #require(try await test.sent(in: "my_topic").first)
            #expect(sent.payload?["price"] == .null && sent.payload?["unknown"] == nil)
            #expect(test.messages(in: "my_topic").first?.value.map { $0.first } == UInt8(ascii: "{"))
            try await test.settle()
            #expect(try await test.replica.rows("seen").map { $0["text"] } == [#"{"test_id":"foo"}: foo 123"#])
        }
    }

    @Test func `mock: whatever is published arrives`() async throws {
        try await Self.run(Both(double: { $0.withoutSchemas })) { test in
            try await Self.publish(test, PlainMessage(["test_id": "a", "some_int": 2, "more": [1]]))
            try await test.expectMessage(["more": [1]], key: ["test_id": "a"], in: "my_topic")
            try await test.settle()
            #expect(try await test.replica.rows("seen").count == 1)
        }
    }

    @Test func `have_sent: the closest message is shown with its differences`() async throws {
        try await Self.run(Both()) { test in
            try await Self.publish(test, Self.message)
            await #expect {
                try await test.expectMessage(
                    ["test_id": "foo", "some_int": 124],
                    key: ["test_id": "x"],
                    in: "my_topic"
                )
            } throws: { error in
                let text = "\(error)"
                return text.contains("payload.some_int: 124 is expected, and it is 123")
                    && text.contains(#"key.test_id: "x" is expected"#)
            }
        }
    }

    @Test func `test_consume_message and test_consume_batch: by the topic's schema, invalid ones are failures`()
        async throws
    {
        try await Self.run(Both()) { test in
            try await test.deliver([Self.message, PlainMessage(nil, key: "gone")], in: "my_topic")
            #expect(try await test.replica.rows("seen").count == 2)
            try await test.deliver([PlainMessage(["x": 1], key: "x")], in: "my_topic", as: .record(.json(key: .plain)))
            #expect(try await test.failures().count == 1)
            await #expect(throws: DionysusError.self) {
                try await test.deliver([PlainMessage(["test_id": "a"])], in: "my_topic")
            }
        }
    }

    @Test func `a schema can be read by another, or the reasons are given`() throws {
        let old = try AvroSchema(parsing: #"{"type":"record","name":"W","fields":[{"name":"a","type":"int"}]}"#)
        let new = try AvroSchema(
            parsing: #"{"type":"record","name":"W","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}"#
        )
        let better = try AvroSchema(
            parsing:
                #"{"type":"record","name":"W","fields":[{"name":"a","type":"long"},{"name":"b","type":"string","default":""}]}"#
        )
        try expectReadable(old, by: better)
        #expect { try expectReadable(old, by: new) } throws: { "\($0)".contains("b") }
        #expect(throws: ExpectationFailure.self) { try expectReadable(better, by: old) }
    }
}
