import Dionysus
import DionysusConsumer
import DionysusRegistryTesting
import DionysusSchemas
import TestSupport
import Testing

/// Handlers of messages that are no model's, and of records that identify themselves in their own way.
@Suite
struct MessageConsumerTests {
    private struct Notice: Codable, Sendable, Equatable {
        var number: Int
        var text: String?
    }

    private struct Listener: Consumer {
        let topic: ConsumerTopic
        var models: Models = []
        var namespaces: [Namespace] { Namespace("feed") { topic } }
    }

    /// A log, and a replica with a table for notes.
    private struct Trial: Sendable {
        let trial: FeedTrial

        func consume(_ topic: ConsumerTopic, models: Consumer.Models = [], batchSize: Int = 100) async throws {
            var settings = trial.consumer
            settings.batchSize = batchSize
            try await ConsumerService(
                Listener(topic: topic, models: models),
                database: trial.replica,
                broker: trial.broker,
                settings: settings,
                mode: .untilCaughtUp,
                logger: FeedTrial.logger
            )
            .run()
        }

        func notes() async throws -> [String] {
            try await trial.lines(trial.replica, "SELECT note FROM notes ORDER BY id")
        }

        func send(_ messages: (key: String?, value: String?)...) async throws {
            try await trial.send(messages.map { ($0.key.map { Array($0.utf8) }, $0.value.map { Array($0.utf8) }) })
        }
    }

    private static func run(_ kind: TestDatabaseKind, _ body: (Trial) async throws -> Void) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            try await trial.replica.transaction(.write) { transaction in
                let id = transaction.dialect.columnType(.identity)
                try transaction.run("CREATE TABLE notes (id \(raw: id), note TEXT NOT NULL UNIQUE)")
                try transaction.run(
                    "CREATE TABLE prices (id \(raw: id), synced_id TEXT NOT NULL UNIQUE, amount BIGINT, note TEXT)"
                )
            }
            try await body(Trial(trial: trial))
        }
    }

    private static func note(_ text: String, _ transaction: inout Transaction) throws {
        try transaction.run("INSERT INTO notes (note) VALUES (\(text))")
    }

    @Test(
        "each message is handled once with its payload, in the transaction of its offset",
        arguments: TestDatabaseKind.available
    )
    func single(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            try await trial.send(
                ("a", #"{"number":1,"text":"one"}"#),
                (nil, #"{"number":2}"#),
                (#"{"id":7}"#, nil),
                ("b", "no JSON"),
                ("c", #"{"number":"x"}"#),
                ("d", #"{"number":3}"#)
            )
            let topic = ConsumerTopic(messages: "bookings")
                .handling(messages: Notice.self) { message, transaction in
                    let payload = message.payload.map { "\($0.number) \($0.text ?? "-")" } ?? "nothing"
                    try Self.note("\(message.key?.text ?? "-"): \(payload)", &transaction)
                }
            for _ in 0..<2 { try await trial.consume(topic) }
            #expect(
                try await trial.notes() == [#""a": 1 one"#, "-: 2 -", #"{"id":7}: nothing"#, #""d": 3 -"#]
            )
            // What can't be read or doesn't fit fails alone, and says no value.
            try await trial.trial.expectFailures(2)
            let errors = try await trial.trial.lines(trial.trial.replica, "SELECT error_message FROM dionysus_failures")
            #expect(errors.contains { $0.contains("number") })
        }
    }

    @Test("a batch that fails is divided until only its faulty messages fail", arguments: TestDatabaseKind.available)
    func batches(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            for number in 1...9 { try await trial.send(("k", #"{"number":\#(number)}"#)) }
            struct Unlucky: Error {}
            let sizes = Collected<Int>()
            let topic = ConsumerTopic(messages: "bookings")
                .handling(batches: Notice.self) { messages, transaction in
                    sizes.add(messages.count)
                    let numbers = messages.compactMap { $0.payload?.number }
                    if numbers.contains(5) { throw Unlucky() }
                    for number in numbers { try Self.note("\(number)", &transaction) }
                }
            try await trial.consume(topic)
            #expect(try await trial.notes() == [1, 2, 3, 4, 6, 7, 8, 9].map { "\($0)" })
            #expect(sizes.all.first == 9)
            try await trial.trial.expectFailures(1)
        }
    }

    @Test("a compacted topic hands over the last message of each key", arguments: TestDatabaseKind.available)
    func compaction(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            try await trial.send(
                ("a", #"{"number":1}"#),
                ("b", #"{"number":2}"#),
                (nil, #"{"number":3}"#),
                ("a", #"{"number":4}"#),
                (nil, #"{"number":5}"#),
                ("b", nil)
            )
            let topic = ConsumerTopic(messages: "bookings").compacted()
                .handling(messages: Notice.self) { message, transaction in
                    try Self.note(message.payload.map { "\($0.number)" } ?? "gone", &transaction)
                }
            try await trial.consume(topic)
            #expect(try await trial.notes() == ["3", "4", "5", "gone"])
        }
    }

    @Test(
        "an error that the declaration calls fatal stops the consumer, which goes on there",
        arguments: TestDatabaseKind.available
    )
    func fatal(_ kind: TestDatabaseKind) async throws {
        struct Closed: Error {}
        struct Unlucky: Error {}
        try await Self.run(kind) { trial in
            for number in 1...4 { try await trial.send(("k", #"{"number":\#(number)}"#)) }
            let closed = Countdown(1)
            let topic = ConsumerTopic(messages: "bookings")
                .handling(messages: Notice.self) { message, transaction in
                    let number = message.payload?.number ?? 0
                    if number == 2 { throw Unlucky() }
                    if number == 3, closed.next() { throw Closed() }
                    try Self.note("\(number)", &transaction)
                }
                .stopping { error, messages in error is Closed && !messages.isEmpty }
            let error = await #expect(throws: DionysusError.self) { try await trial.consume(topic, batchSize: 1) }
            #expect(error?.underlying is Closed)
            #expect(try await trial.notes() == ["1"])
            try await trial.trial.expectFailures(1)
            try await trial.consume(topic, batchSize: 1)
            #expect(try await trial.notes() == ["1", "3", "4"])
            try await trial.trial.expectFailures(1)
        }
    }

    @Test("messages are decoded by the topic's schema, their keys by theirs", arguments: TestDatabaseKind.available)
    func avro(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            let schema = try AvroSchema(
                parsing:
                    #"{"type":"record","name":"Notice","fields":[{"name":"number","type":"int"},{"name":"text","type":["null","string"],"default":null}]}"#
            )
            let registry = try SchemaRegistryClient(trial.trial.schemas.settings, transport: trial.trial.schemas)
            let values = SchemaSerde(AvroFormat.values(schema), registry: registry)
            let keySchema = try AvroSchema(
                parsing: #"{"type":"record","name":"Notice_key","fields":[{"name":"number","type":"int"}]}"#
            )
            let keys = SchemaSerde(AvroFormat.values(keySchema), registry: registry, part: .key)
            let value = try await values.serialize(
                schema.coerce(["number": 8, "text": "eight"]),
                topic: FeedTrial.topic
            )
            let key = try await keys.serialize(keySchema.coerce(["number": 8]), topic: FeedTrial.topic)
            try await trial.trial.send([(key.bytes, value.bytes)])
            let topic = ConsumerTopic(messages: "bookings", encoding: .record(.avro(.text(schema.description))))
                .handling(messages: Notice.self) { message, transaction in
                    #expect(message.payload == Notice(number: 8, text: "eight"))
                    try Self.note(message.key?.text ?? "-", &transaction)
                }
            try await trial.consume(topic)
            #expect(try await trial.notes() == [#"{"number":8}"#])
        }
    }

    @Test(
        "records are found by an id that the topic makes of their fields or keys",
        arguments: TestDatabaseKind.available
    )
    func identifying(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            let topic = ConsumerTopic("bookings", encoding: .record(.json), accepting: ["Price"])
                .identifying { record, key in
                    let source = record.members.isEmpty ? key ?? .null : .object(record)
                    guard let shop = source["shop"], let article = source["article"] else { return nil }
                    return .string("\(shop.text)/\(article.text)")
                }
                .accepting(otherwise: "a test") { $0.data["amount"] != 0 }
            let models = [
                Persist("Price", table: "prices").storing { ["note": .string("article \($0["article"]?.text ?? "")")] }
                    .element
            ]
            try await trial.send(
                (#"{"shop":1,"article":2}"#, #"{"shop":1,"article":2,"amount":10}"#),
                (#"{"shop":1,"article":3}"#, #"{"shop":1,"article":3,"amount":20}"#),
                (#"{"shop":1,"article":4}"#, #"{"shop":1,"article":4,"amount":0}"#),
                (#"{"shop":1,"article":2}"#, #"{"shop":1,"article":2,"amount":11}"#),
                (#"{"shop":1,"article":3}"#, nil)
            )
            try await trial.consume(topic, models: models)
            let rows = try await trial.trial.lines(trial.trial.replica, "SELECT synced_id, amount, note FROM prices")
            #expect(rows == ["1/2 11 article 2"])
            try await trial.trial.expectFailures(0)
        }
    }

    @Test("thousands of unknown schemas in a batch fail alone, without asking one after the other")
    func unknownSchemas() async throws {
        try await Self.run(.sqlite) { trial in
            let unknown = (0..<400)
                .map { id -> (key: [UInt8]?, value: [UInt8]?) in
                    (nil, [0, 0, 0, UInt8(100 + id / 256), UInt8(id % 256), 2])
                }
            try await trial.trial.send(unknown + [(nil, Array("{}".utf8))])
            let topic = ConsumerTopic(messages: "bookings", encoding: .auto)
            let error = await #expect(throws: DionysusError.self) { try await trial.consume(topic) }
            #expect(error?.code == .declaration)
            let records = ConsumerTopic("bookings", encoding: .record(.avro), accepting: ["Price"])
            try await trial.consume(records, batchSize: 401)
            try await trial.trial.expectFailures(401)
        }
    }
}
