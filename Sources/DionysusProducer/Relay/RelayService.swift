public import Dionysus
public import Logging
public import ServiceLifecycle

/// The outbox worker: publishes what the outbox holds until it is shut down.
///
/// Any number of relays may work on one outbox, in one process or many. A graceful shutdown finishes the current
/// batches and gives the lanes back.
public struct RelayService: Service {
    /// When a relay ends by itself.
    public enum Mode: Sendable {
        /// Never: it works until it is shut down.
        case continuous
        /// Once nothing can be published: what is left, if anything, has failed and waits for its next attempt, or is
        /// parked.
        case untilEmpty
    }

    private let context: RelayContext
    private let mode: Mode
    /// What the application adds to genesis runs.
    public var genesis = GenesisHooks()

    /// Creates a relay.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database whose outbox is drained.
    ///   - broker: The broker to publish to.
    ///   - settings: The relay's settings.
    ///   - mode: When it ends by itself.
    ///   - instrumentation: Receives events, errors, metrics and spans.
    ///   - logger: Receives the relay's log messages.
    ///   - onPublished: Called after each batch that the broker has acknowledged.
    public init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings = ProducerSettings(),
        mode: Mode = .continuous,
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.relay"),
        onPublished: @escaping @Sendable (PublishedBatch) -> Void = { _ in }
    ) {
        self.mode = mode
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

    /// Works until it is shut down, or as ``Mode`` says.
    /// - Throws: ``/Dionysus/DionysusError``: `configuration` or `declaration` when it can't begin.
    public func run() async throws { try await context.telemetry.lifetime(relay) }

    private func relay() async throws {
        try throwFaults(of: context.settings)
        let doorbell = Doorbell()
        let queue = LaneQueue(onFinished: doorbell.ring)
        try await withGracefulShutdownHandler {
            try await relay(queue, doorbell)
        } onGracefulShutdown: {
            context.telemetry.shuttingDown()
            queue.close()
            doorbell.ring()
        }
    }

    private func relay(_ queue: LaneQueue, _ doorbell: Doorbell) async throws {
        let (settings, telemetry, logger) = (context.settings, context.telemetry, context.logger)
        let prepared = try await queue.retrying("prepare the relay", telemetry) {
            try await RelayPipeline(context, onExpanded: queue.offer, onPending: queue.offerIdle)
        }
        guard let pipeline = prepared else { return }
        let topics = DeclaredTopics(
            specifications: context.registry.specifications,
            broker: context.broker,
            logger: logger
        )
        if settings.createsTopics {
            _ = try await queue.retrying("create topics", telemetry) { try await topics.create() }
        }
        logger.info("the relay has started", metadata: ["lanes": "\(pipeline.outbox.lanes)"])
        logStyle(pipeline)
        telemetry.started(lanes: pipeline.outbox.lanes)
        try await closing {
            await pipeline.sender.producer.close(deadline: settings.messageTimeout)
        } after: {
            try await work(pipeline, queue, doorbell, topics)
        }
        logger.info("the relay has stopped")
    }

    /// Runs all parts of the relay until one of them fails, or the queue is closed.
    private func work(
        _ pipeline: RelayPipeline,
        _ queue: LaneQueue,
        _ doorbell: Doorbell,
        _ topics: DeclaredTopics
    ) async throws {
        let settings = context.settings
        let genesis = GenesisWorker(pipeline, hooks: genesis)
        let polls = PollWorker(pipeline, runsOnce: mode == .untilEmpty)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // A part that fails ends the others, which would wait for it otherwise.
            func add(_ part: @escaping @Sendable () async throws -> Void) {
                group.addTask {
                    do {
                        try await part()
                    } catch {
                        queue.close()
                        throw error
                    }
                }
            }
            let workers = LaneWorkers(
                pipeline: pipeline,
                queue: queue,
                count: settings.workers,
                endsWhenRefused: mode == .untilEmpty
            )
            let poller = LanePoller(
                pipeline: pipeline,
                queue: queue,
                doorbell: doorbell,
                mode: mode,
                genesis: genesis,
                polls: polls
            )
            add { try await workers.run() }
            add {
                // Workers would wait for lanes forever if polling ended alone.
                defer { queue.close() }
                try await poller.run()
            }
            add { try await genesis.run(queue, onQueued: doorbell.announce) }
            add { try await polls.run(queue, onQueued: doorbell.announce) }
            if mode == .continuous {
                if !settings.createsTopics { add { await topics.reportMissing() } }
                if let schedule = VerificationSchedule(context) { add { await schedule.run(until: queue) } }
                if let retention = OutboxRetention(pipeline.outbox, context.database, settings, context.logger) {
                    add { await retention.run(until: queue) }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Logs, once at the start, whether something is written as dionysus-rb does, and why.
    private func logStyle(_ pipeline: RelayPipeline) {
        let topics = pipeline.loader.styles.rubyTopics(of: context.registry)
        guard topics?.isEmpty != true else { return }
        let place = topics.map { "topics \($0.joined(separator: ", ")) are" } ?? "messages are"
        let isByTable = context.settings.wire == nil && pipeline.outbox.isMadeByRuby
        let reason = isByTable ? ": the outbox is a table that dionysus-rb made" : ""
        context.logger.notice("\(place) written as dionysus-rb does, times with 3 digits\(reason)")
    }
}
