import Dionysus
import DionysusProducer
import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import TestSupport
import Testing

/// Messages that are no model's go through the outbox.
@Suite
struct PlainMessageTests {
    private struct Notices: Producer {
        var encoding: TopicEncoding

        var namespaces: [Namespace] {
            Namespace("feed") { Topic(messages: "notices", encoding: encoding) }
        }
    }

    private struct Trial: Sendable {
        let trial: FeedTrial
        let registry: Registry

        func publisher() async throws -> MessagePublisher {
            try await MessagePublisher(
                registry,
                topic: "feed_notices",
                database: trial.source,
                settings: trial.producer
            )
        }

        func relay(_ settings: ProducerSettings? = nil) async throws {
            try await RelayService(
                registry,
                database: trial.source,
                broker: trial.broker,
                settings: settings ?? trial.producer,
                mode: .untilEmpty,
                logger: FeedTrial.logger
            )
            .run()
        }

        func messages() async throws -> [ConsumedMessage] { try await trial.messages(in: "feed_notices") }

        func stored() async throws -> [String] {
            try await trial.lines(trial.source, "SELECT count(*) FROM dionysus_messages")
        }
    }

    private static func run(
        _ kind: TestDatabaseKind,
        _ encoding: TopicEncoding,
        _ body: (Trial) async throws -> Void
    ) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            let registry = Registry(Notices(encoding: encoding), settings: trial.producer)
            try await OutboxSchema(database: trial.source, registry: registry).migrate(lanes: trial.producer.lanes)
            try await body(Trial(trial: trial, registry: registry))
        }
    }

    private static let schema = """
        {"type":"record","name":"Notice","namespace":"feed","fields":[{"name":"message_id","type":"string"},
         {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"text","type":"string"},
         {"name":"level","type":"int","default":1}]}
        """

    @Test(
        "a message is sent once its transaction is committed, and never if it is rolled back",
        arguments: TestDatabaseKind.available
    )
    func transactions(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.avro(.text(Self.schema), key: .none))) { trial in
            let publisher = try await trial.publisher()
            struct RolledBack: Error {}
            await #expect(throws: RolledBack.self) {
                try await trial.trial.source.transaction(.write) { transaction in
                    try publisher.publish(PlainMessage(["text": "never"]), in: &transaction)
                    throw RolledBack()
                }
            }
            try await publisher.publish(PlainMessage(["text": "one", "level": "7", "other": true]))
            #expect(try await trial.stored() == ["1"])
            try await trial.relay()
            let message = try #require(try await trial.messages().first)
            let client = try SchemaRegistryClient(trial.trial.schemas.settings, transport: trial.trial.schemas)
            let read = try await SchemaSerde(AvroFormat.json(), registry: client).deserialize(message.value ?? [])
            #expect(read["text"] == "one" && read["level"] == 7 && message.key == nil)
            guard case .string(let id)? = read["message_id"], case .string(let time)? = read["timestamp"] else {
                Issue.record("a field is missing")
                return
            }
            #expect(UUID(uuidString: id) != nil && Timestamp(time) != nil)
            #expect(try await trial.messages().count == 1)
            // The bytes are kept no longer than they are needed.
            #expect(try await trial.stored() == ["0"])
        }
    }

    @Test("while their table can't be read, messages wait and the relay goes on", arguments: TestDatabaseKind.available)
    func unreadable(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.json)) { trial in
            try await trial.publisher().publish(PlainMessage(["text": "one"]))
            try await trial.trial.write("DROP TABLE dionysus_messages")
            try await trial.relay()
            #expect(try await trial.trial.outbox().allSatisfy { $0.state == "pending" && $0.attempts == 0 })
            let refused = try await OutboxInspector(database: trial.trial.source).refusedModels()
            #expect(refused.count == 1 && refused[0].reason.contains("dionysus_messages"))
        }
    }

    @Test(
        "messages with one key keep their order, and their bytes, keys and headers",
        arguments: TestDatabaseKind.available
    )
    func order(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.json)) { trial in
            let publisher = try await trial.publisher()
            let messages = (0..<60)
                .map { number in
                    PlainMessage(
                        ["number": .integer(Int64(number))],
                        key: .string("key \(number % 5) ☃"),
                        headers: [MessageHeader("origin", [0, 255])]
                    )
                }
            try await publisher.publish(contentsOf: messages)
            try await publisher.publish(PlainMessage(nil, key: "key 0 ☃"))
            var settings = trial.trial.producer
            settings.batchSize = 7
            settings.removesConsecutiveDuplicates = true
            try await trial.relay(settings)
            let sent = try await trial.messages()
            #expect(sent.count == 61)
            for (key, messages) in Dictionary(grouping: sent, by: \.key) {
                let numbers = messages.map { $0.value.flatMap { try? JSON(parsing: $0)["number"] } }
                let name = String(decoding: key ?? [], as: UTF8.self)
                let first = Int64(name.split(separator: " ").dropFirst().first ?? "") ?? -1
                let expected = stride(from: first, to: 60, by: 5).map { JSON.integer($0) }
                #expect(numbers == expected + (first == 0 ? [nil] : []))
                #expect(Set(messages.map(\.source)).count == 1)
                let headers = messages.filter { $0.value != nil }.map(\.headers)
                #expect(headers.allSatisfy { $0.contains(MessageHeader("origin", [0, 255])) })
            }
        }
    }

    @Test(
        "a message that doesn't fit its schema, or lacks its key, is its caller's error",
        arguments: TestDatabaseKind.available
    )
    func misfits(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.avro(.text(Self.schema), key: .field("text")))) { trial in
            let publisher = try await trial.publisher()
            var error = await #expect(throws: DionysusError.self) {
                try await publisher.publish(PlainMessage(["text": "a", "level": "high"]))
            }
            #expect(error?.description.contains("level") == true && error?.description.contains("high") == false)
            error = await #expect(throws: DionysusError.self) {
                try await publisher.publish(contentsOf: [PlainMessage(["text": "a"]), PlainMessage(["level": 1])])
            }
            #expect(error?.description.contains("no key") == true)
            #expect(try await trial.stored() == ["0"])
        }
    }

    @Test("the bytes of a message that is discarded are deleted", arguments: TestDatabaseKind.available)
    func discarded(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.json)) { trial in
            let publisher = try await trial.publisher()
            try await publisher.publish(contentsOf: [PlainMessage(["number": 1]), PlainMessage(["number": 2])])
            let inspector = OutboxInspector(database: trial.trial.source)
            let rows = try await inspector.entries(OutboxFilter())
            #expect(rows.count == 2)
            #expect(try await trial.stored() == ["2"])
            try await inspector.discard([try #require(rows.map(\.id).min())], force: true)
            #expect(try await trial.stored() == ["1"])
            try await trial.relay()
            #expect(try await trial.messages().map { $0.value } == [Array(#"{"number":2}"#.utf8)])
            #expect(try await trial.stored() == ["0"])
        }
    }

    @Test("a topic without a schema for its messages says so", arguments: TestDatabaseKind.available)
    func noSchema(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, .record(.avro)) { trial in
            let error = await #expect(throws: DionysusError.self) { try await trial.publisher() }
            #expect(error?.code == .declaration)
            await #expect(throws: DionysusError.self) {
                try await MessagePublisher(trial.registry, topic: "feed_other", database: trial.trial.source)
            }
        }
    }
}
