import Dionysus
import DionysusEmbedded
import Logging
import Synchronization
import TestSupport

@testable import Dionysus
@testable import DionysusProducer
@testable import Rentals

extension ProducerHarness {
    /// Runs a body with small chunks, on the example's tables or on others.
    static func genesis(
        _ kind: TestDatabaseKind,
        chunkSize: Int = 10,
        maxPendingRows: Int = 5_000,
        producer: any Producer = BookingSync(),
        tables: [SQL] = [],
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        var settings = ProducerSettings()
        settings.genesisChunkSize = chunkSize
        settings.genesisMaxPendingRows = maxPendingRows
        settings.pollInterval = .milliseconds(20)
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { transaction in
                try SourceSchema.create(in: &transaction)
                try transaction.run(tables)
            }
            try await withTemporaryDirectory { directory in
                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                let registry = Registry(producer, settings: settings)
                try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
                try await body(
                    ProducerHarness(database: database, broker: broker, registry: registry, settings: settings)
                )
                await broker.close()
            }
        }
    }

    var genesis: Genesis { Genesis(database: database, registry: registry, settings: settings) }

    /// Rentals of one account, numbered from one, that nobody has yet to publish.
    func addRentals(_ count: Int, every distance: Int = 1) async throws {
        try await write(CaptureTests.account)
        let columns = [BulkColumn("id", .integer, (1...count).map { .integer(Int64($0 * distance)) })]
        try await write(
            """
            INSERT INTO rentals (id, account_id, name)
            SELECT id, 1, 'Villa' FROM \(database.dialect.rows(columns, alias: "added"))
            """,
            "DELETE FROM dionysus_outboxes"
        )
    }

    func genesisWorker(
        on other: (any CapturingDatabase)? = nil,
        hooks: GenesisHooks = GenesisHooks()
    ) async throws -> GenesisWorker {
        let database = other ?? database
        let outbox = try await database.transaction(.write) { try Outbox.open(of: database, in: &$0) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return GenesisWorker(
            database: database,
            outbox: outbox,
            registry: registry,
            refused: RefusedModels(),
            settings: settings,
            hooks: hooks,
            telemetry: RelayTelemetry(
                Instrumentation(),
                system: broker.messagingSystem,
                settings: settings,
                logger: logger
            ),
            announcer: EventAnnouncer(Instrumentation(), logger: logger)
        )
    }

    /// Publishes everything that is pending, runs included.
    func relay(hooks: GenesisHooks) async throws {
        var relay = RelayService(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            mode: .untilEmpty,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        relay.genesis = hooks
        try await relay.run()
    }

    /// The first value of a query.
    func value(_ query: SQL) async throws -> DatabaseValue {
        try await database.transaction(.snapshot) { try $0.run(query).first?[0] ?? .null }
    }

    /// Moves a run's beginning into the past.
    func advance(_ run: GenesisRun, by duration: Duration) async throws {
        let start = run.startsAt + -(duration / .seconds(1))
        try await write("UPDATE dionysus_genesis_runs SET starts_at = \(start) WHERE id = \(run.id)")
    }
}

/// A database of which every third transaction seems to fail: some before they begin, some after they have committed.
struct FlakyDatabase: CapturingDatabase {
    private final class Calls: Sendable {
        private let count = Mutex(0)
        var made: Int { count.withLock { $0 } }
        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    let base: any CapturingDatabase
    private let calls = Calls()

    init(base: any CapturingDatabase) { self.base = base }

    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }
    var captureSupport: CaptureSupport { base.captureSupport }
    /// How many transactions have failed.
    var failures: Int { calls.made / 3 }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let call = calls.next()
        let lost = DionysusError(.databaseUnavailable, "the connection was lost", isRetriable: true)
        if call % 6 == 3 { throw lost }
        let result = try await base.transaction(kind, body)
        if call % 6 == 0 { throw lost }
        return result
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await base.close() }
}
