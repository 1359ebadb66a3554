import Dionysus
import DionysusConsumer
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport

extension ReplicaHarness {
    /// A consumer that tells what it does; it ends once it has caught up.
    func service(
        _ instrumentation: Instrumentation,
        _ consumer: any Consumer = Mirror(),
        settings: ConsumerSettings = .forTests,
        database: (any Database)? = nil,
        broker: (any MessageBroker)? = nil,
        stopsWhenCaughtUp: Bool = true
    ) -> ConsumerService {
        ConsumerService(
            consumer,
            database: database ?? self.database,
            broker: broker ?? self.broker,
            settings: settings,
            mode: stopsWhenCaughtUp ? .untilCaughtUp : .continuous,
            instrumentation: instrumentation,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Runs a consumer that doesn't end by itself, and ends it after a body.
    func whileConsuming(
        _ instrumentation: Instrumentation,
        settings: ConsumerSettings = .forTests,
        database: (any Database)? = nil,
        broker: (any MessageBroker)? = nil,
        _ body: () async throws -> Void
    ) async throws {
        let service = service(
            instrumentation,
            settings: settings,
            database: database,
            broker: broker,
            stopsWhenCaughtUp: false
        )
        let group = ServiceGroup(services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

/// A database whose transactions fail where a test wants it.
struct FailingDatabase: Database {
    let base: any Database
    /// The error of the next transaction; nil to run it.
    let failure: @Sendable (TransactionKind) -> DionysusError?

    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        if let error = failure(kind) { throw error }
        return try await base.transaction(kind, body)
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await base.close() }
}

/// A database whose transactions wait for as long as a test wants.
struct FrozenDatabase: Database {
    let base: any Database
    let isFrozen: @Sendable () -> Bool

    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        while isFrozen() { try await Task.sleep(for: .milliseconds(20)) }
        return try await base.transaction(kind, body)
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await base.close() }
}

extension FailingDatabase {
    /// A database that is away for the first writes of a consumer's batches, and for its other writes meanwhile.
    static func away(
        forWrites writes: Int,
        of instrumentation: Instrumentation,
        _ base: any Database
    ) -> FailingDatabase {
        let left = Mutex<Int?>(nil)
        instrumentation.monitor.subscribe(to: ReplicaConsumer.ProcessingBatch.self) { _ in
            left.withLock { $0 = $0 ?? writes }
        }
        instrumentation.monitor.subscribe(to: ReplicaConsumer.ErrorOccurred.self) { event in
            left.withLock { if event.context.activity == "write a batch" { $0 = $0.map { $0 - 1 } } }
        }
        return FailingDatabase(base: base) { kind in
            let fails = kind == .write && left.withLock { $0.map { $0 > 0 } ?? false }
            return fails ? DionysusError(.databaseUnavailable, "nobody answers", isRetriable: true) : nil
        }
    }
}

/// A broker whose members can't reach it, as far as they know, for as long as a test wants it.
struct UnreachableBroker: BrokerWrapper {
    let base: any MessageBroker
    let outage: @Sendable () -> DionysusError?

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        UnreachableConsumer(base: try await base.makeConsumer(options), whatIsWrong: outage)
    }
}

private struct UnreachableConsumer: ConsumerWrapper {
    let base: any MessageConsumer
    let whatIsWrong: @Sendable () -> DionysusError?

    var outage: DionysusError? { whatIsWrong() }
}
