public import Dionysus
public import Logging
public import ServiceLifecycle

/// The outbox worker: publishes what the outbox holds until it is shut down.
///
/// Any number of relays may work on one outbox, in one process or many. A graceful shutdown finishes the batches
/// under way and gives the lanes back.
public struct RelayService: Service {
    /// When a relay ends by itself.
    public enum Mode: Sendable {
        /// Never: it works until it is shut down.
        case continuous
        /// Once nothing can be published: what is left, if anything, has failed and waits for its next attempt, or is
        /// parked.
        case untilEmpty
    }

    /// How long rows of lanes that nobody works on may wait while others are published.
    private static let pauseUnderWork = Duration.milliseconds(20)
    /// How long it waits where other relays have all lanes with something to publish.
    private static let pauseForOthers = Duration.milliseconds(50)

    private let context: RelayContext
    private let mode: Mode
    /// What the application adds to genesis runs.
    public var genesis = GenesisHooks()

    /// Creates a relay.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database whose outbox is drained.
    ///   - broker: Where to.
    ///   - settings: How.
    ///   - mode: When it ends by itself.
    ///   - instrumentation: Whom it tells what it does.
    ///   - logger: Where it says what it does.
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

    private var database: any CapturingDatabase { context.database }
    private var settings: ProducerSettings { context.settings }
    private var telemetry: RelayTelemetry { context.telemetry }
    private var logger: Logger { context.logger }

    /// Works until it is shut down, or as ``Mode`` says.
    /// - Throws: ``DionysusError``: `configuration` or `declaration` when it can't begin.
    public func run() async throws { try await telemetry.lifetime(relay) }

    private func relay() async throws {
        try throwFaults(of: settings)
        let doorbell = Doorbell()
        let queue = LaneQueue(onFinished: doorbell.ring)
        try await withGracefulShutdownHandler {
            let prepared = try await queue.patiently("prepare the relay", telemetry) {
                try await context.pipeline(onExpanded: queue.offer, onPending: queue.offerIdle)
            }
            guard let pipeline = prepared else { return }
            let topics = DeclaredTopics(
                specifications: context.registry.specifications,
                broker: context.broker,
                logger: logger
            )
            if settings.createsTopics {
                _ = try await queue.patiently("create topics", telemetry) { try await topics.create() }
            }
            logger.info("the relay has started", metadata: ["lanes": "\(pipeline.outbox.lanes)"])
            tellStyle(pipeline)
            telemetry.started(lanes: pipeline.outbox.lanes)
            try await withThrowingTaskGroup(of: Void.self) { group in
                let workers = LaneWorkers(
                    pipeline: pipeline,
                    queue: queue,
                    count: settings.workers,
                    endsWhenRefused: mode == .untilEmpty
                )
                group.addTask { try await workers.run() }
                group.addTask {
                    // Workers that wait for a lane would wait forever if polling failed or was cancelled.
                    defer { queue.close() }
                    try await poll(pipeline, queue, doorbell)
                }
                if mode == .continuous, !settings.createsTopics {
                    group.addTask { await topics.tellMissing() }
                }
                if mode == .continuous, let retention = OutboxRetention(pipeline.outbox, database, settings, logger) {
                    group.addTask { await retention.run(until: queue) }
                }
                group.addTask {
                    do {
                        try await genesisWorker(pipeline).run(queue, onQueued: doorbell.announce)
                    } catch {
                        queue.close()
                        throw error
                    }
                }
                try await group.waitForAll()
            }
            await pipeline.producer.close(deadline: settings.messageTimeout)
            logger.info("the relay has stopped")
        } onGracefulShutdown: {
            telemetry.shuttingDown()
            queue.close()
            doorbell.ring()
        }
    }

    /// Says once, at the start, if something is written as dionysus-rb does, and why.
    private func tellStyle(_ pipeline: RelayPipeline) {
        let topics = pipeline.styles.rubyTopics(of: context.registry)
        guard topics?.isEmpty != true else { return }
        let place = topics.map { "topics \($0.joined(separator: ", ")) are" } ?? "messages are"
        let reason =
            settings.wire == nil && pipeline.outbox.isMadeByRuby ? ": the outbox is a table that dionysus-rb made" : ""
        logger.notice("\(place) written as dionysus-rb does, times with 3 digits\(reason)")
    }

    /// Finds lanes that have something to publish.
    private func poll(_ pipeline: RelayPipeline, _ queue: LaneQueue, _ doorbell: Doorbell) async throws {
        // A listening connection must not outlast this.
        let signal = settings.wakesUp ? database.changeSignal(doorbell.announce) : nil
        var changes = ChangeWaiting(signal, doorbell, pollInterval: settings.pollInterval, logger: logger)
        do {
            try await poll(pipeline, queue, doorbell, &changes)
        } catch {
            await changes.close()
            throw error
        }
        await changes.close()
    }

    private func poll(
        _ pipeline: RelayPipeline,
        _ queue: LaneQueue,
        _ doorbell: Doorbell,
        _ changes: inout ChangeWaiting
    ) async throws {
        let (outbox, housekeeping) = (pipeline.outbox, pipeline.housekeeping)
        var (isBusy, hasProgressed) = (false, false)
        while !queue.isClosed, !Task.isCancelled {
            if !isBusy { await changes.arm() }
            let look = [outbox.pendingLanes(without: pipeline.waitingGroups)] + outbox.marks()
            let found = try await queue.patiently("look for new rows", telemetry) {
                try await database.transaction(.snapshot) { try $0.runLast(look) }
            }
            guard let found else { break }
            let lanes = try found[0].lanes()
            if try housekeeping.noteMarks(found[1...], lanes: outbox.lanes) {
                logger.warning("ids of the outbox have gone back: rows that were passed are looked for")
            }
            telemetry.polled(pendingLanes: lanes.count, outage: pipeline.producer.outage)
            changes.found(lanes)
            await telemetry.measureIfDue(outbox, in: database)
            // Lanes whose rows all wait behind a failed one are looked at again and again: they don't count as work.
            if mode == .untilEmpty, queue.isIdle, try await isEmpty(pipeline, queue) { queue.close() }
            queue.offerIdle((lanes + housekeeping.lanesInNeed(of: outbox.lanes)).withoutRepetitions)
            if queue.areTaken(lanes) {
                await doorbell.wait(atMost: min(Self.pauseForOthers, settings.pollInterval))
                continue
            }
            let isArmed = !isBusy
            if !lanes.isEmpty || isBusy && !queue.isIdle {
                // A lane may get rows after it was claimed, as others may.
                await doorbell.wait(atMost: hasProgressed ? Self.pauseUnderWork : settings.pollInterval)
                hasProgressed = queue.takeProgress()
                isBusy = hasProgressed || !queue.isIdle
                if isBusy && isArmed { await changes.disarm() }
            } else {
                isBusy = false
            }
            // What came while nothing was announced has to be looked for first.
            if !isBusy && isArmed { await changes.wait() }
        }
    }

    /// Whether nothing can be published now.
    ///
    /// Rows that wait for their next attempt can't, nor those behind them.
    private func isEmpty(_ pipeline: RelayPipeline, _ queue: LaneQueue) async throws -> Bool {
        let outbox = pipeline.outbox
        let genesis = genesisWorker(pipeline)
        let counts = try await queue.patiently("look for publishable rows", telemetry) { [settings] in
            try await database.transaction(.snapshot) { transaction -> (waiting: Int64, parked: Int64)? in
                let publishable = outbox.somePublishable(onFailure: settings.onFailure, without: pipeline.waitingGroups)
                guard try transaction.run(publishable).isEmpty else { return nil }
                let passed = try transaction.run(outbox.passedLanes()).lanes()
                guard passed.isEmpty else {
                    pipeline.housekeeping.suspect(passed)
                    return nil
                }
                // In the same snapshot: otherwise rows could move from one side to the other unseen.
                if try genesis.hasWork(in: &transaction) { return nil }
                let counts = try transaction.run(outbox.failureCounts()).first
                return (try counts?.integer(0) ?? 0, try counts?.integer(1) ?? 0)
            }
        }
        guard let counts = counts ?? nil else { return false }
        if counts.waiting > 0 { logger.warning("\(counts.waiting) failed rows wait for their next attempt") }
        for problem in [pipeline.refused.problem, pipeline.withoutTopic.problem].compactMap(\.self) {
            logger.warning("rows wait: \(problem)")
        }
        if counts.parked > 0 { logger.warning("\(counts.parked) rows are parked, after their last attempt") }
        return true
    }

    private func genesisWorker(_ pipeline: RelayPipeline) -> GenesisWorker {
        GenesisWorker(
            database: database,
            outbox: pipeline.outbox,
            registry: context.registry,
            refused: pipeline.refusedRuns,
            settings: settings,
            hooks: genesis,
            telemetry: telemetry
        )
    }
}
