import Dionysus
import DionysusPostgres
import DionysusProducer

/// A source database with rentals, and the broker that goes with it.
protocol RentalSource: Sendable {
    associatedtype Source: CapturingDatabase
    var database: Source { get }
    var registry: Registry { get }
    var settings: ProducerSettings { get }
    /// The database's address for another process.
    var address: String { get async throws }

    /// A new source, removed after the body.
    static func with<T: Sendable>(rentals: Int, _ body: (Self) async throws -> T) async throws -> T

    /// A new broker, closed after the body.
    static func withBroker<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T

    /// The address of a new broker, also for other processes.
    static func withBrokerAddress<T>(_ body: (String) async throws -> T) async throws -> T

    /// Fills the outbox with a `rental_updated` for every rental.
    func fillOutbox() async throws
}

extension SourceFixture: RentalSource {
    var address: String { get async throws { try await url(of: database) } }

    static func with<T: Sendable>(rentals: Int, _ body: (SourceFixture) async throws -> T) async throws -> T {
        try await with(rentals: rentals, settings: ProducerSettings(), body)
    }

    static func withBroker<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
        try await withKafka(body)
    }

    static func withBrokerAddress<T>(_ body: (String) async throws -> T) async throws -> T {
        try await withKafkaServers(body)
    }
}

extension SQLiteFixture: RentalSource {
    var address: String { path }

    static func with<T: Sendable>(rentals: Int, _ body: (SQLiteFixture) async throws -> T) async throws -> T {
        try await with(rentals: rentals, settings: ProducerSettings(), body)
    }

    static func withBroker<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
        try await withEmbeddedLog { try await body($0) }
    }

    static func withBrokerAddress<T>(_ body: (String) async throws -> T) async throws -> T {
        try await withEmbeddedLog { try await body($0.path) }
    }
}

extension RentalSource {
    /// Publishes all pending rows.
    func relay(
        to broker: any MessageBroker,
        onPublished: @escaping @Sendable (PublishedBatch) -> Void = { _ in }
    ) async throws {
        try await publishAll(of: registry, database, to: broker, settings, onPublished: onPublished)
    }

    func run(_ statements: SQL...) async throws {
        _ = try await database.transaction(.write) { try $0.run(statements) }
    }
}

/// Publishes all pending rows of an outbox.
func publishAll(
    of registry: Registry,
    _ database: any CapturingDatabase,
    to broker: any MessageBroker,
    _ settings: ProducerSettings,
    onPublished: @escaping @Sendable (PublishedBatch) -> Void
) async throws {
    try await RelayService(
        registry,
        database: database,
        broker: broker,
        settings: settings,
        mode: .untilEmpty,
        logger: quiet,
        onPublished: onPublished
    )
    .run()
}

/// Brings the statistics up to date and writes everything to the disk, so that neither happens while a benchmark measures.
func settle(_ database: any Database) async throws {
    if let server = database as? PostgresDatabase {
        try await server.outsideTransaction("VACUUM ANALYZE")
        try await server.outsideTransaction("CHECKPOINT")
    } else {
        _ = try await database.transaction(.write) { try $0.run("ANALYZE") }
    }
}

/// A table of the numbers from 1 to a count, `series (i)`, for a statement to begin with.
func series(_ count: Int) -> SQL {
    "WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < CAST(\(count) AS integer))"
}
