public import Dionysus
public import DionysusEmbedded
public import DionysusProducer
import Logging

/// A source database with the example's tables, and a log to publish to.
public struct ProducerHarness: Sendable {
    public let database: any CapturingDatabase
    public let broker: any MessageBroker
    public let registry: Registry
    public var settings: ProducerSettings

    /// Runs a body on a fresh database and a fresh log.
    public static func run(
        _ kind: TestDatabaseKind,
        settings: ProducerSettings = ProducerSettings(),
        producer: any Producer = BookingSync(),
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await withTemporaryDirectory { directory in
                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                let registry = Registry(producer, settings: settings)
                try await database.transaction(.write) { try SourceSchema.create(in: &$0) }
                try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
                let harness = ProducerHarness(
                    database: database,
                    broker: broker,
                    registry: registry,
                    settings: settings
                )
                try await body(harness)
                await broker.close()
            }
        }
    }

    /// Runs statements, each a transaction of its own.
    public func write(_ statements: SQL...) async throws {
        for statement in statements {
            _ = try await database.transaction(.write) { try $0.run(statement) }
        }
    }

    /// Publishes everything that is pending.
    public func relay() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await RelayService(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            mode: .untilEmpty,
            logger: logger
        )
        .run()
    }

    /// Everything in the log of a topic, partition by partition.
    public func messages(in topic: String) async throws -> [PublishedMessage] {
        try await readAll(topic, from: broker)
    }

    /// The events of a topic: name and key.
    public func events(in topic: String) async throws -> [String] {
        try await messages(in: topic).map { "\($0.event) \($0.key)" }
    }

    /// Publishes what is pending and forgets it, so that a test begins with an empty outbox.
    public func settle() async throws {
        try await write("DELETE FROM dionysus_outboxes")
    }

    /// The rows of the outbox that wait to be published: event, record and topic, in their order.
    public func pending() async throws -> [String] {
        try await database.transaction(.snapshot) { transaction in
            try transaction.run(
                """
                SELECT event_name || ' ' || resource_class || ':' || resource_id || ' ' || topic || ' '
                  || coalesce(partition_key, '-')
                FROM dionysus_outboxes WHERE published_at IS NULL ORDER BY id
                """
            )
            .rows.compactMap { try $0.text(0) }
        }
    }
}

/// A message as it stands in the log.
public struct PublishedMessage: Sendable {
    public let partition: Int32
    public let key: String
    public let value: JSON
    public let headers: [String: String]

    /// The first event's name.
    public var event: String { string(first?["event"]) }
    /// The first event's first payload.
    public var payload: JSON { element(first?["data"]) ?? .null }
    /// The version of its snapshot.
    public var version: Int64 { headers[HeaderName.version].flatMap { Int64($0) } ?? 0 }

    private var first: JSON? { element(value["message"]) }

    private func element(_ value: JSON?) -> JSON? {
        guard case .array(let elements) = value else { return nil }
        return elements.first
    }

    private func string(_ value: JSON?) -> String {
        guard case .string(let text) = value else { return "" }
        return text
    }
}

/// Reads a topic from its beginning to its present end.
public func readAll(_ topic: String, from broker: any MessageBroker) async throws -> [PublishedMessage] {
    guard let description = try await broker.describeTopics([topic]).first else { return [] }
    let partitions = (0..<description.partitions).map { TopicPartition(topic, $0) }
    var rest = try await broker.offsets(of: partitions).filter { $1.next > $1.first }
    guard !rest.isEmpty else { return [] }
    let group = "reader-\(Timestamp.now.microseconds)-\(Int.random(in: 0..<1_000_000))"
    let consumer = try await broker.makeConsumer(
        ConsumerOptions(clientID: "reader", groupID: group, topics: [topic])
    )
    var messages: [ConsumedMessage] = []
    while !rest.isEmpty {
        switch try await consumer.next(maxMessages: 5_000, timeout: .seconds(30)) {
        case .assigned(let partitions):
            try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
        case .messages(let batch):
            messages += batch
            for message in batch where rest[message.source].map({ message.offset >= $0.next - 1 }) == true {
                rest[message.source] = nil
            }
        case .revoked(let partitions): try await consumer.release(partitions)
        case .lost, .outOfRange: break
        case nil: throw DionysusError(.brokerUnavailable, "the log was not read to its end within 30 s")
        }
    }
    await consumer.close()
    return try messages.sorted { ($0.source, $0.offset) < ($1.source, $1.offset) }
        .map { message in
            PublishedMessage(
                partition: message.source.partition,
                key: String(decoding: message.key ?? [], as: UTF8.self),
                value: try message.value.map { try JSON(parsing: $0) } ?? .null,
                headers: Dictionary(
                    message.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) },
                    uniquingKeysWith: { $1 }
                )
            )
        }
}

extension ProducerHarness {
    /// The outbox's schema.
    public var schema: OutboxSchema { OutboxSchema(database: database, registry: registry) }
}
