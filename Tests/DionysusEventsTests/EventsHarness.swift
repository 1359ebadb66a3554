import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusEvents
import DionysusProducer
import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import StreamTool

struct AccountEvents: Producer {
    var encoding = TopicEncoding.envelope

    var namespaces: [Namespace] {
        Namespace("bank", serializers: .streamEvents) {
            Topic.streamEvents("events", of: store.types, encoding: encoding)
        }
    }
}

struct AccountKeeper: Consumer {
    let model: ReplicaModel
    let encoding: TopicEncoding

    init(_ element: some ListElement<ReplicaModel>, _ encoding: TopicEncoding) {
        model = element.element
        self.encoding = encoding
    }

    var namespaces: [Namespace] {
        Namespace("bank") {
            Topic("events", encoding: encoding, accepting: [StreamEvent.modelName]).onFailure(.stop)
        }
    }

    var models: Models { model }
}

/// A database with streams, capture and a consumer's tables, and a log.
struct EventsHarness: Sendable {
    let database: any CapturingDatabase
    let broker: any MessageBroker
    var encoding = TopicEncoding.envelope
    let schemas = InMemorySchemaRegistry()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private var settings: ProducerSettings {
        get throws {
            var settings = ProducerSettings()
            settings.onFailure = .holdPartitionKey
            settings.schemaRegistry = try schemaRegistry
            return settings
        }
    }

    var registry: Registry { get throws { try Registry(AccountEvents(encoding: encoding), settings: settings) } }

    private var schemaRegistry: SchemaRegistryClient {
        get throws { try SchemaRegistryClient(schemas.settings, transport: schemas) }
    }

    static func run(
        _ kind: TestDatabaseKind,
        encoding: TopicEncoding = .envelope,
        _ body: (EventsHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await withTemporaryDirectory { directory in
                let harness = EventsHarness(
                    database: database,
                    broker: try EmbeddedBroker(path: "\(directory)/log.sqlite"),
                    encoding: encoding
                )
                try await harness.migrate()
                try await body(harness)
                await harness.broker.close()
            }
        }
    }

    func migrate() async throws {
        try await database.transaction(.write) { try EventSchema.create(in: &$0) }
        try await OutboxSchema(database: database, registry: registry).migrate(lanes: 4)
        try await ConsumerSchema(database: database).migrate()
    }

    // MARK: Streams

    func write<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await database.transaction(.write, body)
    }

    @discardableResult
    func append(
        _ events: any Event...,
        to stream: StreamName = account,
        expecting expected: ExpectedPosition = .any
    ) async throws -> Appended {
        try await store.append(events.map { NewEvent($0) }, to: stream, expecting: expected, on: database)
    }

    func names(_ stream: StreamName = account) async throws -> [String] {
        try await store.read(stream, on: database).map { "\($0.position) \($0.type)" }
    }

    func rows(_ statement: SQL) async throws -> [String] {
        try await database.transaction(.snapshot) { transaction in
            let result = try transaction.run(statement)
            return try result.rows
                .map { row in try result.columns.indices.map { try row.text($0) ?? "null" }.joined(separator: " ") }
        }
    }

    func balances(_ table: String = "balances") async throws -> [String] {
        try await rows("SELECT id, balance, effects FROM \(identifier: table) ORDER BY id")
    }

    // MARK: Services

    func relay() async throws {
        try await RelayService(
            try registry,
            database: database,
            broker: broker,
            settings: try settings,
            mode: .untilEmpty,
            logger: logger
        )
        .run()
    }

    func consume(_ element: some ListElement<ReplicaModel>, as clientID: String = "bank") async throws {
        var settings = ConsumerSettings()
        settings.clientID = clientID
        settings.pollTimeout = .milliseconds(20)
        settings.schemaRegistry = try schemaRegistry
        try await ConsumerService(
            AccountKeeper(element, encoding),
            database: database,
            broker: broker,
            settings: settings,
            mode: .untilCaughtUp,
            logger: logger
        )
        .run()
    }
}
