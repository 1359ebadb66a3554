public import Dionysus
public import Logging
public import ServiceLifecycle
import Synchronization

/// Publishes what this process commits as soon as it is committed, instead of leaving it to a relay.
///
///     let publisher = CommitPublisher(registry, database: database, broker: broker, settings: settings)
///     // `publisher` runs as a service beside the application's own.
///     try await publisher.transaction { transaction in
///         try transaction.run("UPDATE rentals SET name = \(name) WHERE id = \(id)")
///     }
///
/// It takes the lanes that a relay takes, so that both keep one order and nothing is published twice. What it can't
/// publish, because the broker is away or the process dies, a relay publishes. Which models are published so is set by
/// ``ProducerSettings/publishesAfterCommit``, and for one model by its ``Publish``.
public final class CommitPublisher: Service {
    private let context: RelayContext
    private let queue = LaneQueue()
    private let known = Mutex<Outbox?>(nil)

    /// Creates a publisher.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database that the transactions write to.
    ///   - broker: The broker to publish to.
    ///   - settings: The publisher's settings.
    ///   - instrumentation: Receives events, errors, metrics and spans.
    ///   - logger: Receives the publisher's log messages.
    ///   - onPublished: Called after each batch that the broker has acknowledged.
    public init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings = ProducerSettings(),
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.commit"),
        onPublished: @escaping @Sendable (PublishedBatch) -> Void = { _ in }
    ) {
        context = RelayContext(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            instrumentation: instrumentation,
            logger: logger,
            onPublished: onPublished
        )
    }

    /// Publishes what is committed until it is shut down.
    /// - Throws: ``/Dionysus/DionysusError``: `configuration` or `declaration` when it can't begin.
    public func run() async throws {
        // It publishes at once what a relay leaves alone for a while.
        var context = context
        context.settings.publishingDelay = .zero
        try throwFaults(of: context.settings)
        try await withGracefulShutdownHandler { [queue, context] in
            let pipeline = try await queue.retrying("prepare to publish", context.telemetry) {
                try await RelayPipeline(context, onExpanded: queue.offer)
            }
            guard let pipeline else { return }
            try await closing {
                await pipeline.sender.producer.close(deadline: context.settings.messageTimeout)
            } after: {
                try await withTaskCancellationHandler {
                    // What it can't publish is left to a relay: the services beside it go on.
                    try await LaneWorkers(
                        pipeline: pipeline,
                        queue: queue,
                        count: context.settings.workers,
                        endsWhenRegistryRefuses: false
                    )
                    .run()
                } onCancel: {
                    queue.close()
                }
            }
        } onGracefulShutdown: { [queue] in
            queue.close()
        }
    }

    /// Runs a transaction that writes, and publishes what it recorded once it is committed.
    ///
    /// It returns after the commit and doesn't wait for the broker. A transaction that is rolled back publishes nothing.
    /// - Parameter body: The statements, as for ``/Dionysus/Database/transaction(_:_:)``.
    /// - Returns: What the body returns.
    /// - Throws: As ``/Dionysus/Database/transaction(_:_:)``; `declaration` if there is no outbox.
    public func transaction<T: Sendable>(
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let (result, lanes) = try await context.database.transaction(.write) { [self] transaction in
            let outbox = try outbox(in: &transaction)
            let last = try transaction.run(outbox.support.lastID()).first?.integer(0) ?? 0
            let result = try body(&transaction)
            let recorded = try transaction.run(outbox.pending(after: last))
            return (result, try recorded.rows.compactMap { try lane(of: $0) })
        }
        queue.offer(lanes.withoutRepetitions)
        return result
    }

    /// Publishes what has been recorded by a transaction that was committed by other means, such as GRDB's own.
    /// - Throws: As ``/Dionysus/Database/transaction(_:_:)``.
    public func publishPending() async throws {
        let lanes = try await context.database.transaction(.snapshot) { [self] transaction in
            try transaction.run(outbox(in: &transaction).pendingLanes()).lanes()
        }
        queue.offer(lanes)
    }

    private func outbox(in transaction: inout Transaction) throws -> Outbox {
        if let outbox = known.withLock(\.self) { return outbox }
        let outbox = try Outbox.open(of: context.database, in: &transaction)
        known.withLock { $0 = outbox }
        return outbox
    }

    /// The lane of recorded rows, if they are to be published at once.
    private func lane(of row: Row) throws -> Int? {
        let (modelName, topic) = (try row.text(1) ?? "", try row.text(2) ?? "")
        let isWanted =
            context.registry.publication(topic: topic, modelName: modelName)?.publishesAfterCommit
            ?? context.registry.publications.contains(where: \.publishesAfterCommit)
        return isWanted ? try row.integer(0).map(Int.init) : nil
    }
}
