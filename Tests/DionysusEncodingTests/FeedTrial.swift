import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import DionysusProducer
import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Rentals

/// A source, a log, a registry and a replica: bookings with their fees go all the way.
struct FeedTrial: Sendable {
    static let topic = "feed_bookings"

    let source: any CapturingDatabase
    let replica: any CapturingDatabase
    let broker: any MessageBroker
    let schemas: InMemorySchemaRegistry
    var producer: ProducerSettings
    var consumer: ConsumerSettings
    let declaration: Feed
    let mirror: FeedMirror

    /// Runs a body on fresh databases, a fresh log and a fresh registry.
    /// - Parameters:
    ///   - encoding: How the producer writes.
    ///   - reading: How the consumer reads; as the producer writes if it is nil.
    static func run(
        _ kind: TestDatabaseKind,
        _ encoding: TopicEncoding,
        reading: TopicEncoding? = nil,
        genesisReplica: Bool = false,
        schemas: InMemorySchemaRegistry = InMemorySchemaRegistry(),
        onKafka: Bool = false,
        _ body: (FeedTrial) async throws -> Void
    ) async throws {
        let declaration = Feed(encoding: encoding, genesisReplica: genesisReplica)
        let mirror = FeedMirror(encoding: reading ?? encoding)
        try await withTemporaryDatabase(kind) { source in
            try await withTemporaryDatabase(kind) { replica in
                try await withTemporaryDirectory { directory in
                    let cluster = onKafka ? try MockCluster(brokers: 1) : nil
                    let broker: any MessageBroker =
                        if let cluster { try KafkaBroker(bootstrapServers: cluster.bootstrapServers) } else {
                            try EmbeddedBroker(path: "\(directory)/log.sqlite")
                        }
                    try cluster?.createTopic(Self.topic, partitions: 2)
                    var producer = ProducerSettings()
                    producer.schemaRegistry = try SchemaRegistryClient(schemas.settings, transport: schemas)
                    producer.maxAttempts = 2
                    var consumer = ConsumerSettings()
                    consumer.schemaRegistry = try SchemaRegistryClient(schemas.settings, transport: schemas)
                    consumer.pollTimeout = .milliseconds(50)
                    consumer.maxRetries = 0
                    if onKafka { consumer.brokerSettings = .quickOnMockCluster }
                    let trial = FeedTrial(
                        source: source,
                        replica: replica,
                        broker: broker,
                        schemas: schemas,
                        producer: producer,
                        consumer: consumer,
                        declaration: declaration,
                        mirror: mirror
                    )
                    try await trial.migrate()
                    do { try await body(trial) } catch {
                        await broker.close()
                        throw error
                    }
                    await broker.close()
                    cluster?.close()
                }
            }
        }
    }

    private func migrate() async throws {
        try await source.transaction(.write) { try SourceSchema.create(in: &$0) }
        try await OutboxSchema(database: source, registry: registry).migrate(lanes: producer.lanes)
        try await replica.transaction(.write) { try ReplicaSchema.create(in: &$0) }
        try await ConsumerSchema(database: replica).migrate()
    }

    var registry: Registry { Registry(declaration, settings: producer) }

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs statements, each a transaction of its own.
    func write(_ statements: SQL...) async throws {
        for statement in statements { _ = try await source.transaction(.write) { try $0.run(statement) } }
    }

    /// Writes a rental with a booking and two fees.
    func writeBooking() async throws {
        try await write(
            "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)",
            "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'Loft')",
            "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (7, 1, '2026-12-24T15:00:00.000000Z', 500)",
            "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 7, 'cleaning', 40.5)",
            "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (2, 7, 'pets ☃', 10)"
        )
    }

    func relayService(_ mode: RelayService.Mode) -> RelayService {
        RelayService(
            registry,
            database: source,
            broker: broker,
            settings: producer,
            mode: mode,
            logger: Self.logger
        )
    }

    /// Publishes everything that is pending.
    func relay() async throws { try await relayService(.untilEmpty).run() }

    /// Applies everything that is in the log.
    func consume(_ settings: ConsumerSettings? = nil) async throws { try await consume(mirror, settings) }

    /// Applies everything that is in the log, by another declaration.
    func consume(_ declaration: some Consumer, _ settings: ConsumerSettings? = nil) async throws {
        try await ConsumerService(
            declaration,
            database: replica,
            broker: broker,
            settings: settings ?? consumer,
            mode: .untilCaughtUp,
            logger: Self.logger
        )
        .run()
    }

    /// The replica's bookings and fees, a line each.
    func copies() async throws -> [String] {
        let bookings = try await lines(
            replica,
            "SELECT synced_id, synced_rental_id, final_price * 1.0, start_at FROM bookings ORDER BY synced_id"
        )
        let fees = try await lines(
            replica,
            "SELECT synced_id, synced_booking_id, name, amount * 1.0 FROM bookings_fees ORDER BY synced_id"
        )
        return bookings + fees
    }

    /// Compares the replica's bookings and fees.
    func expectCopies(_ expected: [String], location: SourceLocation = #_sourceLocation) async throws {
        let found = try await copies()
        #expect(found == expected, sourceLocation: location)
    }

    /// Expects everything to be published.
    func expectPublished(location: SourceLocation = #_sourceLocation) async throws {
        let errors = try await outbox().filter { $0.state != "published" }.map { "\($0.state): \($0.error)" }
        #expect(errors == [], sourceLocation: location)
    }

    /// Compares the number of messages that the replica could not take.
    func expectFailures(_ expected: Int, location: SourceLocation = #_sourceLocation) async throws {
        let found = try await lines(
            replica,
            "SELECT \"offset\", error_message FROM dionysus_failures ORDER BY \"offset\""
        )
        #expect(found.count == expected, "\(found)", sourceLocation: location)
    }

    /// The rows of a query, as text.
    func lines(_ database: any Database, _ query: SQL) async throws -> [String] {
        let result = try await database.transaction(.snapshot) { try $0.run(query) }
        return result.rows.map { row in row.columns.indices.map { Self.text(row[$0]) }.joined(separator: " ") }
    }

    private static func text(_ value: DatabaseValue) -> String {
        switch value {
        case .null: "-"
        case .integer(let value): String(value)
        case .double(let value): String(format: "%.2f", value)
        case .decimal(let value): String(format: "%.2f", Double(value.description) ?? .nan)
        case .timestamp(let value): value.iso8601(fractionDigits: 0)
        case .text(let value):
            value.contains("T") ? Timestamp(value)?.iso8601(fractionDigits: 0) ?? value : value
        default: "?"
        }
    }

    /// What would be published of the booking.
    func preview() async throws -> MessagePreview? {
        try await MessagePreview.of(
            "Booking",
            id: "7",
            in: Self.topic,
            registry,
            database: source,
            settings: producer
        )
    }

    /// The messages of a topic, as the log has them.
    func messages(in topic: String = FeedTrial.topic) async throws -> [ConsumedMessage] {
        try await readRaw(topic, from: broker)
    }

    /// Appends messages of another program, all in one partition.
    func send(
        _ messages: [(key: [UInt8]?, value: [UInt8]?)],
        headers: [MessageHeader] = [],
        to topic: String = FeedTrial.topic
    ) async throws {
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "other"))
        let outgoing = messages.map { message in
            OutgoingMessage(
                topic: topic,
                destination: .partition(0),
                key: message.key,
                value: message.value,
                headers: headers
            )
        }
        for result in await producer.send(outgoing) { _ = try result.get() }
        await producer.close(deadline: .seconds(5))
    }

    /// The outbox: what has become of each row, with the words of its error.
    func outbox() async throws -> [(state: String, attempts: Int64, error: String)] {
        let result = try await source.transaction(.snapshot) {
            try $0.run(
                """
                SELECT CASE WHEN published_at IS NOT NULL THEN 'published' WHEN failed_at IS NULL THEN 'pending'
                  WHEN retry_at IS NULL THEN 'parked' ELSE 'failed' END, attempts, error_message
                FROM dionysus_outboxes ORDER BY id
                """
            )
        }
        return try result.rows.map { (try $0.text(0) ?? "", try $0.integer(1) ?? 0, try $0.text(2) ?? "") }
    }
}

/// The source's bookings, in a topic of any encoding.
struct Feed: Producer {
    let encoding: TopicEncoding
    let genesisReplica: Bool

    var namespaces: [Namespace] {
        Namespace("feed", serializers: BookingSync().serializers) {
            Topic("bookings", encoding: encoding, partitionKey: .messageKey, genesisReplica: genesisReplica) {
                Publish(Booking.self, with: Booking.fees)
            }
        }
    }
}

/// The replica's bookings.
struct FeedMirror: Consumer {
    let encoding: TopicEncoding

    var namespaces: [Namespace] {
        Namespace("feed") {
            Topic("bookings", encoding: encoding, accepting: ["Booking", "BookingsFee"]).eventLog()
        }
    }

    var models: Models {
        Persist("Booking", table: "bookings").replacing("bookings_fees")
    }
}
