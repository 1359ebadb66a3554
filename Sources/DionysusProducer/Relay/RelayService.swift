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

    private let database: any CapturingDatabase
    private let broker: any MessageBroker
    private let registry: Registry
    private let settings: ProducerSettings
    private let mode: Mode
    private let onPublished: @Sendable (PublishedBatch) -> Void
    private let telemetry: RelayTelemetry
    private let logger: Logger

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
        self.registry = registry
        self.database = database
        self.broker = broker
        self.settings = settings
        self.mode = mode
        self.logger = logger
        self.onPublished = onPublished
        telemetry = RelayTelemetry(
            instrumentation,
            system: broker.messagingSystem,
            settings: settings,
            logger: logger
        )
    }

    /// Works until it is shut down, or as ``Mode`` says.
    /// - Throws: ``DionysusError``: `configuration` or `declaration` when it can't begin.
    public func run() async throws { try await telemetry.lifetime(relay) }

    private func relay() async throws {
        let faults = settings.faults
        guard faults.isEmpty else {
            throw DionysusError(.configuration, "settings of the producer: \(faults.joined(separator: "; "))")
        }
        let queue = LaneQueue()
        try await withGracefulShutdownHandler {
            guard let pipeline = try await patiently("prepare the relay", on: queue, prepare) else { return }
            logger.info("the relay has started", metadata: ["lanes": "\(pipeline.outbox.lanes)"])
            telemetry.started(lanes: pipeline.outbox.lanes)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<settings.workers {
                    group.addTask { await work(pipeline, queue) }
                }
                group.addTask {
                    // Workers that wait for a lane would wait forever if polling failed.
                    defer { queue.close() }
                    try await poll(pipeline, queue)
                }
                try await group.waitForAll()
            }
            await pipeline.producer.close(deadline: settings.messageTimeout)
            logger.info("the relay has stopped")
        } onGracefulShutdown: {
            telemetry.shuttingDown()
            queue.close()
        }
    }

    /// Reads the catalogue, raises the version, and connects to the broker.
    private func prepare() async throws -> RelayPipeline {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let (outbox, sourceID) = try await database.transaction(.write) { transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            try outbox.support.raiseVersion(in: &transaction)
            let sourceID = try transaction.run(SQL(raw: "SELECT value FROM dionysus_meta WHERE name = 'source_id'"))
            return (outbox, try sourceID.first?.text(0) ?? "")
        }
        let plans = try registry.publications.map { publication in
            (RecordGroup(publication), try LoadPlan(publication, catalogue))
        }
        let options = ProducerOptions(
            clientID: settings.clientID,
            partitioner: settings.partitioner,
            messageTimeout: settings.messageTimeout,
            settings: settings.brokerSettings
        )
        return RelayPipeline(
            database: database,
            outbox: outbox,
            producer: try await broker.makeProducer(options),
            settings: settings,
            expansions: Expansion.all(of: registry, catalogue),
            plans: Dictionary(plans, uniquingKeysWith: { first, _ in first }),
            composer: Composer(sourceID: sourceID, registry: registry),
            housekeeping: LaneHousekeeping(),
            onPublished: onPublished,
            telemetry: telemetry,
            logger: logger
        )
    }

    /// Finds lanes that have something to publish.
    private func poll(_ pipeline: RelayPipeline, _ queue: LaneQueue) async throws {
        while !queue.isClosed {
            let lanes = try await patiently("look for new rows", on: queue) {
                try await database.transaction(.snapshot) { transaction in
                    try transaction.run(pipeline.outbox.pendingLanes()).rows
                        .compactMap { try $0.integer(0).map(Int.init) }
                }
            }
            guard let lanes else { return }
            telemetry.polled(pendingLanes: lanes.count)
            await telemetry.measureIfDue(pipeline.outbox, in: database)
            // Lanes whose rows all wait behind a failed one are looked at again and again: they don't count as work.
            if mode == .untilEmpty, queue.isIdle, try await isEmpty(pipeline, queue) { queue.close() }
            queue.offer(lanes + pipeline.housekeeping.lanesToAdvance())
            await queue.pause(settings.pollInterval)
        }
    }

    /// Whether nothing can be published now.
    ///
    /// Rows that wait for their next attempt can't, nor those behind them.
    private func isEmpty(_ pipeline: RelayPipeline, _ queue: LaneQueue) async throws -> Bool {
        let outbox = pipeline.outbox
        let counts = try await patiently("look for publishable rows", on: queue) { [settings] in
            try await database.transaction(.snapshot) { transaction -> (waiting: Int64, parked: Int64)? in
                guard try transaction.run(outbox.somePublishable(onFailure: settings.onFailure)).isEmpty else {
                    return nil
                }
                let counts = try transaction.run(outbox.failureCounts()).first
                return (try counts?.integer(0) ?? 0, try counts?.integer(1) ?? 0)
            }
        }
        guard let counts = counts ?? nil else { return false }
        if counts.waiting > 0 { logger.warning("\(counts.waiting) failed rows wait for their next attempt") }
        if counts.parked > 0 { logger.warning("\(counts.parked) rows are parked, after their last attempt") }
        return true
    }

    /// Publishes batches of one lane after another.
    private func work(_ pipeline: RelayPipeline, _ queue: LaneQueue) async {
        var failures = 0
        while let lane = await queue.next() {
            var hasMore = false
            telemetry.began(lane)
            do {
                switch try await pipeline.publishBatch(ofLane: lane) {
                case .busy:
                    failures = 0
                    telemetry.laneIsHeld(lane)
                case .empty, .settled: failures = 0
                case .full:
                    failures = 0
                    hasMore = true
                case .brokerUnavailable(let error):
                    failures += 1
                    telemetry.brokerFailed(error, lane: lane, attempt: failures)
                }
            } catch {
                failures += 1
                telemetry.failed(error, lane: lane, attempt: failures)
            }
            telemetry.ended(lane)
            if failures > 0 { await queue.pause(Self.backoff.delay(afterFailures: failures)) }
            queue.finished(lane, hasMore: hasMore)
        }
    }

    private static let backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(5))

    /// Tries until it succeeds, fails for good, or the relay is shut down (then nil is returned).
    private func patiently<T: Sendable>(
        _ purpose: String,
        on queue: LaneQueue,
        _ operation: () async throws -> T
    ) async throws -> T? {
        var failures = 0
        while !queue.isClosed {
            do {
                let result = try await operation()
                if failures > 0 { logger.info("could \(purpose) again after \(failures) failures") }
                return result
            } catch let error as DionysusError where error.isRetriable {
                failures += 1
                telemetry.failed(error, to: purpose, attempt: failures)
                await queue.pause(Self.backoff.delay(afterFailures: failures))
            }
        }
        return nil
    }
}

extension RecordGroup {
    init(_ publication: Registry.Publication) {
        topic = publication.topic
        modelName = publication.model.name
    }
}
