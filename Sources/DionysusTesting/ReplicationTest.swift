public import Dionysus
public import DionysusConsumer
public import DionysusProducer
import Logging

/// Runs a producer and a consumer together without a server, with throw-away databases and an in-memory log.
///
///     @Test func aRentalArrives() async throws {
///         try await ReplicationTest(BookingSync(), RentalMirror(), source: createSource, replica: createReplica) { test in
///             try await test.source.write { try $0.insert(Rental(…)) }
///             try await test.settle()
///             #expect(test.messages(in: "v3_rentals").map(\.event) == ["rental_created"])
///             #expect(try await test.replica.rows("rentals").count == 1)
///         }
///     }
///
/// Relay and consumer are the real ones, and run only in ``settle(allowingFailures:)``, ``relay()`` and ``consume()``.
/// Nothing sleeps. Test an application with only one side with one declaration. It needs no particular test framework:
/// failures are thrown.
public struct ReplicationTest: Sendable {
    /// The database whose changes are published.
    public let source: TestDatabase
    /// The database that holds the replica.
    public let replica: TestDatabase
    /// The broker between them.
    public let broker = InMemoryBroker()
    /// The registry of what is published; nil without a producer.
    public let registry: Registry?
    let consumer: (any Consumer)?
    let settings: ReplicationSettings
    /// The turnstile to leave at the end, if the test had to enter one.
    private let turnstile: Turnstile?

    /// Runs a body with a producer and a consumer.
    /// - Parameters:
    ///   - producer: What the source publishes.
    ///   - consumer: What the replica stores.
    ///   - database: The kind of databases; SQLite by default.
    ///   - settings: The settings of both sides.
    ///   - source: Creates the application's tables in the source.
    ///   - replica: Creates the replica's tables.
    ///   - body: The test.
    /// - Throws: What the body throws; ``/Dionysus/DionysusError`` with code `declaration` if a declaration does not fit
    ///   its database, and the databases' errors.
    @discardableResult
    public init(
        _ producer: some Producer,
        _ consumer: some Consumer,
        on database: ThrowAwayDatabase = .sqlite,
        settings: ReplicationSettings = ReplicationSettings(),
        source: @escaping @Sendable (inout Transaction) throws -> Void,
        replica: @escaping @Sendable (inout Transaction) throws -> Void,
        _ body: (ReplicationTest) async throws -> Void
    ) async throws {
        try await self.init(producer, consumer, database, settings)
        try await run(source: source, replica: replica, body)
    }

    /// Runs a body with only a producer.
    /// - Parameters:
    ///   - producer: What the source publishes.
    ///   - database: The kind of database; SQLite by default.
    ///   - settings: The settings of the producer.
    ///   - source: Creates the application's tables in the source.
    ///   - body: The test.
    /// - Throws: What the body throws, and as with both sides.
    @discardableResult
    public init(
        producer: some Producer,
        on database: ThrowAwayDatabase = .sqlite,
        settings: ReplicationSettings = ReplicationSettings(),
        source: @escaping @Sendable (inout Transaction) throws -> Void,
        _ body: (ReplicationTest) async throws -> Void
    ) async throws {
        try await self.init(producer, nil, database, settings)
        try await run(source: source, replica: { _ in }, body)
    }

    /// Runs a body with only a consumer, which reads what the test delivers.
    /// - Parameters:
    ///   - consumer: What the replica stores.
    ///   - database: The kind of database; SQLite by default.
    ///   - settings: The settings of the consumer.
    ///   - replica: Creates the replica's tables.
    ///   - body: The test.
    /// - Throws: What the body throws, and as with both sides.
    @discardableResult
    public init(
        consumer: some Consumer,
        on database: ThrowAwayDatabase = .sqlite,
        settings: ReplicationSettings = ReplicationSettings(),
        replica: @escaping @Sendable (inout Transaction) throws -> Void,
        _ body: (ReplicationTest) async throws -> Void
    ) async throws {
        try await self.init(nil, consumer, database, settings)
        try await run(source: { _ in }, replica: replica, body)
    }

    private init(
        _ producer: (any Producer)?,
        _ consumer: (any Consumer)?,
        _ database: ThrowAwayDatabase,
        _ settings: ReplicationSettings
    ) async throws {
        turnstile = Turnstile.isInside ? nil : database.turnstile
        await turnstile?.enter()
        do {
            source = try await database.make()
        } catch {
            await turnstile?.leave()
            throw error
        }
        do {
            replica = try await database.make()
        } catch {
            try? await source.end()
            await turnstile?.leave()
            throw error
        }
        registry = producer.map { Registry($0, settings: settings.producer) }
        self.consumer = consumer
        self.settings = settings
    }

    private func run(
        source createSource: @escaping @Sendable (inout Transaction) throws -> Void,
        replica createReplica: @escaping @Sendable (inout Transaction) throws -> Void,
        _ body: (ReplicationTest) async throws -> Void
    ) async throws {
        do {
            try await source.write(createSource)
            try await replica.write(createReplica)
            if let registry {
                let schema = OutboxSchema(database: source.faulty.base, registry: registry)
                try await schema.migrate(lanes: settings.producer.lanes)
            }
            if consumer != nil { try await ConsumerSchema(database: replica.faulty.base).migrate() }
            try await Turnstile.$isInside.withValue(true) { try await body(self) }
        } catch {
            await end()
            throw error
        }
        await end()
    }

    /// Errors of the cleanup don't make a test fail.
    private func end() async {
        await broker.close()
        try? await source.end()
        try? await replica.end()
        await turnstile?.leave()
    }
}

/// The settings of both sides of a test.
public struct ReplicationSettings: Sendable {
    /// The producer's settings: the defaults, except for a shorter polling interval.
    public var producer: ProducerSettings
    /// The consumer's settings: the defaults, except for shorter pauses and no retries.
    public var consumer: ConsumerSettings

    /// Creates settings.
    public init() {
        producer = ProducerSettings()
        producer.clientID = "test"
        producer.pollInterval = .milliseconds(1)
        producer.wakesUp = false
        consumer = ConsumerSettings()
        consumer.clientID = "test"
        consumer.pollTimeout = .milliseconds(1)
        consumer.maxRetries = 0
        consumer.maxRetryDelay = .milliseconds(1)
    }
}
