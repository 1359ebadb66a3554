import Dionysus
import Foundation
import TestSupport
import Testing

@testable import DionysusProducer

/// Rows of tables in the shape of Debezium's outbox become messages.
@Suite
struct DebeziumOutboxTests {
    private struct Events: Producer {
        var outboxes: [DebeziumOutbox]

        var namespaces: [Namespace] { [] }
        var debeziumOutboxes: [DebeziumOutbox] { outboxes }
    }

    private struct Trial: Sendable {
        let trial: FeedTrial
        let outbox: DebeziumOutbox
        var registry: Registry { Registry(Events(outboxes: [outbox]), settings: trial.producer) }
        var schema: OutboxSchema { OutboxSchema(database: trial.source, registry: registry) }

        func relay(on broker: (any MessageBroker)? = nil, attempts: Int = 2) async throws {
            var settings = trial.producer
            settings.maxAttempts = attempts
            settings.maxRetryDelay = .milliseconds(1)
            settings.batchSize = 9
            try await RelayService(
                registry,
                database: trial.source,
                broker: broker ?? trial.broker,
                settings: settings,
                mode: .untilEmpty,
                logger: FeedTrial.logger
            )
            .run()
        }

        func publish(_ events: DebeziumOutbox.Event..., removing: Bool = false) async throws {
            try await trial.source.transaction(.write) { [outbox] in
                try outbox.publish(contentsOf: events, removing: removing, in: &$0)
            }
        }
    }

    private static func run(
        _ kind: TestDatabaseKind,
        _ outbox: DebeziumOutbox = DebeziumOutbox(),
        columns: String? = nil,
        _ body: (Trial) async throws -> Void
    ) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            let json = kind == .postgres ? "jsonb" : "json"
            let columns =
                columns ?? """
                    id uuid NOT NULL PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
                    type varchar(255) NOT NULL, payload \(json)
                    """
            try await trial.write("CREATE TABLE outboxevent (\(raw: columns))")
            let trial = Trial(trial: trial, outbox: outbox)
            try await trial.schema.migrate(lanes: trial.trial.producer.lanes)
            try await body(trial)
        }
    }

    private static func event(_ type: String, _ id: String, _ number: Int) -> DebeziumOutbox.Event {
        DebeziumOutbox.Event(
            aggregateType: type,
            aggregateID: id,
            type: "\(type)Changed",
            payload: ["number": .integer(Int64(number)), "text": "☃ \"quoted\" \\"]
        )
    }

    @Test(
        "rows are sent to the topic of their type, by their key, with their id",
        arguments: TestDatabaseKind.available
    )
    func shape(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            let event = Self.event("booking", "7", 1)
            try await trial.publish(event, Self.event("guest", "7", 2))
            // Another program writes a row.
            try await trial.trial.write(
                """
                INSERT INTO outboxevent (id, aggregatetype, aggregateid, type, payload)
                VALUES ('2a1f9f4e-5b3a-4f3e-9a53-8f1f0d3a0c11', 'booking', 'ü 8', 'BookingCreated', '{"number": 3}')
                """
            )
            try await trial.publish(
                DebeziumOutbox.Event(aggregateType: "booking", aggregateID: "9", type: "BookingEnded", payload: nil)
            )
            try await trial.relay()
            try await trial.trial.expectPublished()
            let bookings = try await trial.trial.messages(in: "outbox.event.booking")
            #expect(Set(bookings.map { $0.key ?? [] }) == Set(["7", "ü 8", "9"].map { Array($0.utf8) }))
            let first = try #require(bookings.first { $0.key == Array("7".utf8) })
            let value = try JSON(parsing: first.value ?? [])
            #expect(value["number"] == 1 && value["text"] == event.payload?["text"])
            let id = first.headers.first { $0.name == "id" }.map { String(decoding: $0.value, as: UTF8.self) }
            #expect(id == event.id.uuidString.lowercased())
            let other = try #require(bookings.first { $0.key == Array("ü 8".utf8) })
            #expect(try JSON(parsing: other.value ?? [])["number"] == 3)
            #expect(other.headers.contains(MessageHeader("id", Array("2a1f9f4e-5b3a-4f3e-9a53-8f1f0d3a0c11".utf8))))
            #expect(bookings.first { $0.key == Array("9".utf8) }?.value == nil)
            #expect(try await trial.trial.messages(in: "outbox.event.guest").count == 1)
            #expect(try await trial.trial.lines(trial.trial.source, "SELECT count(*) FROM dionysus_messages") == ["0"])
        }
    }

    @Test("rows of a rolled back transaction are not sent, and deleted ones are", arguments: TestDatabaseKind.available)
    func transactions(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            struct RolledBack: Error {}
            await #expect(throws: RolledBack.self) {
                try await trial.trial.source.transaction(.write) { transaction in
                    try trial.outbox.publish(Self.event("booking", "1", 1), in: &transaction)
                    throw RolledBack()
                }
            }
            try await trial.publish(Self.event("booking", "1", 2), Self.event("booking", "1", 3), removing: true)
            #expect(try await trial.trial.lines(trial.trial.source, "SELECT count(*) FROM outboxevent") == ["0"])
            try await trial.relay()
            let numbers = try await trial.trial.messages(in: "outbox.event.booking")
                .map { try JSON(parsing: $0.value ?? [])["number"] }
            #expect(numbers == [2, 3])
        }
    }

    /// A broker that refuses some messages at first.
    private struct Failing: BrokerWrapper {
        let base: any MessageBroker

        struct Sender: MessageProducer {
            let base: any MessageProducer

            func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
                // What follows a lost message of its key on the same connection is lost, too.
                var lost: Set<[UInt8]> = []
                let arriving = messages.indices.filter { index in
                    let key = messages[index].key ?? []
                    if Int.random(in: 0..<4) == 0 { lost.insert(key) }
                    return !lost.contains(key)
                }
                var sent = await base.send(arriving.map { messages[$0] }).makeIterator()
                return messages.indices.map { index in
                    if arriving.contains(index), let result = sent.next() { return result }
                    return .failure(DionysusError(.brokerUnavailable, "no acknowledgement", isRetriable: true))
                }
            }

            var outage: DionysusError? { base.outage }

            func purge() { base.purge() }

            func close(deadline: Duration) async { await base.close(deadline: deadline) }
        }

        func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
            Sender(base: try await base.makeProducer(options))
        }
    }

    @Test("with a broker that fails, the events of each key stay in their order", arguments: TestDatabaseKind.available)
    func order(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            for number in 0..<60 {
                try await trial.publish(
                    Self.event("booking", "\(number % 7)", number),
                    Self.event("guest", "\(number % 3)", number),
                    removing: number.isMultiple(of: 2)
                )
            }
            let broker = Failing(base: trial.trial.broker)
            while try await trial.trial.outbox().contains(where: { $0.state != "published" }) {
                try await trial.relay(on: broker, attempts: 1_000)
            }
            for (topic, keys) in [("outbox.event.booking", 7), ("outbox.event.guest", 3)] {
                let messages = try await trial.trial.messages(in: topic)
                #expect(messages.count == 60)
                for (key, messages) in Dictionary(grouping: messages, by: \.key) {
                    let numbers = try messages.map { try JSON(parsing: $0.value ?? [])["number"] }
                    let first = Int64(String(decoding: key ?? [], as: UTF8.self)) ?? -1
                    #expect(numbers == stride(from: first, to: 60, by: keys).map { JSON.integer($0) })
                }
            }
        }
    }

    @Test("topic, columns and headers can be other ones", arguments: TestDatabaseKind.available)
    func others(_ kind: TestDatabaseKind) async throws {
        var outbox = DebeziumOutbox("outboxevent", topic: "events.${aggregatetype}.v1")
        outbox.columns.aggregateID = "key"
        outbox.columns.payload = "body"
        outbox.headers = ["type": "eventType", "tenant": "tenant"]
        let columns = """
            id varchar(40) NOT NULL PRIMARY KEY, aggregatetype text NOT NULL, "key" text NOT NULL, type text NOT NULL, body text,
            tenant text
            """
        try await Self.run(kind, outbox, columns: columns) { trial in
            try await trial.publish(Self.event("booking", "1", 1))
            try await trial.trial.write("UPDATE outboxevent SET tenant = 'late'")
            try await trial.relay()
            let message = try #require(try await trial.trial.messages(in: "events.booking.v1").first)
            #expect(message.headers.contains(MessageHeader("eventType", Array("bookingChanged".utf8))))
            #expect(!message.headers.contains { $0.name == "tenant" })
            #expect(try JSON(parsing: message.value ?? [])["number"] == 1)
        }
    }

    @Test("migrating installs, repairs and removes the trigger, and says so", arguments: TestDatabaseKind.available)
    func migrations(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            #expect(try await trial.schema.validate() == [])
            #expect(try await trial.schema.plannedMigration(lanes: trial.trial.producer.lanes).changes == [])
            let drop: SQL =
                kind == .postgres
                ? "DROP TRIGGER dionysus_messages_of_rows ON outboxevent"
                : "DROP TRIGGER dionysus_messages_of_outboxevent"
            try await trial.trial.write(drop)
            #expect(try await trial.schema.validate().count == 1)
            let report = try await trial.schema.migrate(lanes: trial.trial.producer.lanes)
            #expect(report.changes == ["installed the trigger that makes messages of rows of outboxevent"])
            #expect(try await trial.schema.validate() == [])

            let without = OutboxSchema(
                database: trial.trial.source,
                registry: Registry(Events(outboxes: []), settings: trial.trial.producer)
            )
            #expect(try await without.validate().count == 1)
            try await without.migrate(lanes: trial.trial.producer.lanes)
            try await trial.publish(Self.event("booking", "1", 1))
            #expect(try await trial.trial.outbox().isEmpty)

            try await trial.schema.migrate(lanes: trial.trial.producer.lanes)
            try await trial.schema.uninstall()
            try await trial.publish(Self.event("booking", "1", 2))

            let missing = Registry(Events(outboxes: [DebeziumOutbox("nowhere")]), settings: trial.trial.producer)
            let error = await #expect(throws: DionysusError.self) {
                try await OutboxSchema(database: trial.trial.source, registry: missing)
                    .migrate(lanes: trial.trial.producer.lanes)
            }
            #expect(error?.description.contains("nowhere") == true)
            await #expect(throws: DionysusError.self) {
                try await trial.trial.source.transaction(.write) {
                    try DebeziumOutbox("nowhere").publish(Self.event("booking", "1", 1), in: &$0)
                }
            }
        }
    }

    @Test("a topic needs a name, and a table one declaration")
    func faults() {
        let two = Registry(Events(outboxes: [DebeziumOutbox(), DebeziumOutbox()]))
        #expect(two.faults.contains { $0.contains("more than once") })
        let unnamed = Registry(Events(outboxes: [DebeziumOutbox(topic: "")]))
        #expect(unnamed.faults.count == 1)
    }
}
