import Dionysus
import DionysusEmbedded
import DionysusProducer
import Logging
import ServiceLifecycle
import TestSupport

@testable import Rentals

/// A source database with the example's tables, and a log to publish to.
struct ProducerHarness: Sendable {
    let database: any CapturingDatabase
    var broker: any MessageBroker
    let registry: Registry
    var settings: ProducerSettings

    /// Runs a body on a fresh database and a fresh log.
    static func run(
        _ kind: TestDatabaseKind,
        settings: ProducerSettings = ProducerSettings(),
        producer: any Producer = BookingSync(),
        tables: @escaping @Sendable (inout Transaction) throws -> Void = { try SourceSchema.create(in: &$0) },
        preparing statements: [SQL] = [],
        outbox: OutboxTables = OutboxTables(),
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(kind, outbox: outbox) { database in
            try await withTemporaryDirectory { directory in
                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                let registry = Registry(producer, settings: settings)
                try await database.transaction(.write) { try tables(&$0) }
                _ = try await database.transaction(.write) { try $0.run(statements) }
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

    /// The outbox in a statement.
    var outbox: SQL { database.outbox.tables.outbox }

    /// Runs statements, each a transaction of its own.
    func write(_ statements: SQL...) async throws {
        for statement in statements {
            _ = try await database.transaction(.write) { try $0.run(statement) }
        }
    }

    /// Keeps rows that have failed from being tried again before the test is done, however slow it is.
    func postponeRetries() async throws {
        try await write(
            "UPDATE \(outbox) SET failed_at = '2999-01-01', retry_at = '2999-01-01' WHERE retry_at IS NOT NULL"
        )
    }

    /// Publishes everything that is pending.
    func relay() async throws {
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

    /// A responder of what is declared.
    func responder() async throws -> Responder {
        try await Responder(registry, database: database, broker: broker, settings: settings)
    }

    /// Runs a relay beside a body, which gets what the relay publishes.
    func withRelay(_ body: (AsyncStream<PublishedBatch>) async throws -> Void) async throws {
        let (batches, continuation) = AsyncStream.makeStream(of: PublishedBatch.self)
        let relay = RelayService(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onPublished: { continuation.yield($0) }
        )
        try await withService(relay) { try await body(batches) }
    }

    /// Runs a service beside a body, and shuts it down after.
    func withService(_ service: any Service, _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(
            services: [service],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        async let running: Void = group.run()
        do {
            try await body()
        } catch {
            await group.triggerGracefulShutdown()
            try await running
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running
    }

    /// Everything in the log of a topic, partition by partition.
    func messages(in topic: String) async throws -> [PublishedMessage] {
        try await readAll(topic, from: broker)
    }

    /// The events of a topic: name and key.
    func events(in topic: String) async throws -> [String] {
        try await messages(in: topic).map { "\($0.event) \($0.key)" }
    }

    /// Publishes what is pending and forgets it, so that a test begins with an empty outbox.
    func settle() async throws {
        try await write("DELETE FROM \(outbox)")
    }

    /// The rows of the outbox that wait to be published: event, record and topic, in their order.
    func pending() async throws -> [String] {
        try await database.transaction(.snapshot) { transaction in
            try transaction.run(
                """
                SELECT event_name || ' ' || resource_class || ':' || resource_id || ' ' || topic || ' '
                  || coalesce(partition_key, '-')
                FROM \(database.outbox.tables.outbox) WHERE published_at IS NULL ORDER BY id
                """
            )
            .rows.compactMap { try $0.text(0) }
        }
    }
}

extension ProducerHarness {
    /// The outbox's schema.
    var schema: OutboxSchema { OutboxSchema(database: database, registry: registry) }
}
