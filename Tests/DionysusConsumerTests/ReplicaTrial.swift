import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// A consumer that is put together by a test.
struct Declared: Consumer {
    var parts: [ConsumerNamespace]
    var replicas: [ReplicaModel] = []
    var choose: @Sendable (String) -> ReplicaModel? = { .conventional($0) }
    var onConsume: @Sendable (ConsumedEvent) async throws -> Void = { _ in }

    /// A consumer of topics of the namespace `v3`.
    init(_ topics: [ConsumerTopic], replicas: [ReplicaModel] = []) {
        parts = [ConsumerNamespace("v3") { for topic in topics { topic } }]
        self.replicas = replicas
    }

    init(parts: [ConsumerNamespace], replicas: [ReplicaModel] = []) {
        self.parts = parts
        self.replicas = replicas
    }

    var namespaces: [Namespace] { for part in parts { part } }
    var models: Models { for replica in replicas { replica } }
    func replica(for remoteName: String) -> ReplicaModel? { choose(remoteName) }
    func didConsume(_ event: ConsumedEvent) async throws { try await onConsume(event) }
}

extension ReplicaHarness {
    /// Runs statements on the replica's database.
    func run(_ statements: SQL...) async throws {
        try await database.transaction(.write) { _ = try $0.run(statements) }
    }

    /// What is wrong with a declaration.
    func faults(of consumer: some Consumer) async throws -> [String] {
        try await ConsumerSchema(database: database).validate(consumer, settings: .forTests)
    }

    /// Consumes messages all at once, and one after the other, each in a batch of its own; both have the same result.
    static func expect(
        _ kind: TestDatabaseKind,
        _ messages: [WireMessage],
        by consumer: some Consumer,
        after preparation: [SQL] = [],
        give expected: [String],
        in query: SQL,
        failures expectedFailures: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for isBatch in [true, false] {
            try await run(kind) { replica in
                try await replica.database.transaction(.write) { _ = try $0.run(preparation) }
                for group in isBatch ? [messages] : messages.map({ [$0] }) {
                    try await replica.publish(group)
                    try await replica.consume(consumer)
                }
                let place: Comment = isBatch ? "in one batch" : "one by one"
                let rows = try await replica.rows(query)
                #expect(rows == expected, place, sourceLocation: sourceLocation)
                let failures = try await replica.rows("SELECT \"offset\" FROM dionysus_failures ORDER BY \"offset\"")
                #expect(failures == expectedFailures, place, sourceLocation: sourceLocation)
            }
        }
    }
}

/// An error of an application.
struct Refusal: Error {}
