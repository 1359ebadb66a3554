public import Dionysus
public import Logging
public import ServiceLifecycle

/// Keeps a replica: reads the declared topics and applies their events.
///
///     let service = ConsumerService(RentalMirror(), database: database, broker: broker)
///     try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
///
/// A graceful shutdown finishes the batch in flight and leaves the group.
public struct ConsumerService: Service {
    /// When ``run()`` returns.
    public enum Mode: Sendable {
        /// Never: it works until it is shut down.
        case continuous
        /// Once the lag was zero on all partitions of all topics.
        case untilCaughtUp
    }

    private let consumer: any Consumer
    private let database: any Database
    private let broker: any MessageBroker
    private let settings: ConsumerSettings
    private let mode: Mode
    private let instrumentation: Instrumentation
    private let logger: Logger

    /// Creates the service.
    /// - Parameters:
    ///   - consumer: What is kept a copy of.
    ///   - database: The database with the replica.
    ///   - broker: The log of messages.
    ///   - settings: How it works.
    ///   - mode: When ``run()`` returns.
    ///   - instrumentation: Monitor, event bus, error handler, metrics, tracer and heartbeat.
    ///   - logger: Receives the service's log messages.
    public init(
        _ consumer: any Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings = ConsumerSettings(),
        mode: Mode = .continuous,
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.consumer")
    ) {
        self.consumer = consumer
        self.database = database
        self.broker = broker
        self.settings = settings
        self.mode = mode
        self.instrumentation = instrumentation
        self.logger = logger
    }

    /// Reads until the service is shut down, or until it has caught up if that was asked for.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` or `configuration` for what is wrong at the start, all faults
    ///   in one; later, the failure of a message whose topic chose to stop, and errors that don't go away by waiting.
    public func run() async throws {
        let telemetry = ConsumerTelemetry(
            instrumentation,
            system: broker.messagingSystem,
            settings: settings,
            logger: logger
        )
        try await telemetry.lifetime(broker) { try await consume(telemetry) }
    }

    private func consume(_ telemetry: ConsumerTelemetry) async throws {
        let retry = RetryLoop(maximumDelay: settings.maxRetryDelay, observer: telemetry)
        do {
            try await retry.run("check the declaration") { try await check(consumer) }
            let identity = try await retry.run("look up the replica's identity") { try await loadIdentity() }
            try await settleLosses(retry)
            let pipeline = try await ConsumerPipeline(
                consumer,
                database: database,
                broker: broker,
                settings: settings,
                telemetry: telemetry,
                logger: logger
            )
            try await closing({ await pipeline.close() }) { try await consume(through: pipeline, identity, retry) }
        } catch is CancellationError where Task.isShuttingDownGracefully {
            logger.info("stopped")
        }
    }

    private func consume(
        through pipeline: ConsumerPipeline,
        _ identity: ReplicaIdentity,
        _ retry: RetryLoop
    ) async throws {
        let options = settings.consumerOptions(pipeline.topics, identity)
        let claim = GroupClaim(identity, options, topics: pipeline.topics, broker: broker)
        try await checkBeforeJoining(claim)
        let member = try await retry.run("join the group") { try await broker.makeConsumer(options) }
        for line in pipeline.topics.acceptances { logger.info("\(line)") }
        pipeline.telemetry.started()
        let pauses = PauseBoard()
        var session = GroupSession(
            member: member,
            pipeline: pipeline,
            starts: StartingPositions(
                topics: pipeline.topics,
                offsets: pipeline.persister.offsets,
                database: database,
                broker: broker
            ),
            claim: claim,
            pauses: pauses,
            logger: logger
        )
        let presence = ConsumerPresence(
            group: settings.effectiveGroupID,
            database: database,
            retry: retry,
            telemetry: pipeline.telemetry,
            pauses: pauses
        )
        let lag = ConsumerLag(consumer, database: database, broker: broker, settings: settings)
        do {
            try await presence.kept { try await claim.watched { try await read(&session, claim, lag, retry) } }
        } catch {
            await close(&session)
            throw error
        }
        await close(&session)
    }

    private func read(
        _ session: inout GroupSession,
        _ claim: GroupClaim,
        _ lag: ConsumerLag,
        _ retry: RetryLoop
    ) async throws {
        let member = session.member
        let start = ContinuousClock.now
        var retentions = Retention.all(settings)
        var verifications = VerificationChecks(session.pipeline, broker)
        while !Task.isShuttingDownGracefully {
            let allowance = session.allowance
            let event = try await cancelWhenGracefulShutdown {
                try await member.next(
                    maxMessages: settings.batchSize,
                    maxBytes: allowance,
                    timeout: settings.pollTimeout
                )
            }
            let outage = member.outage
            session.telemetry.polled(outage)
            // Waiting changes nothing, but for who corrects it.
            if mode == .untilCaughtUp, let outage, !outage.isRetriable { throw outage }
            try claim.require()
            if let event { try await session.handle(event) }
            try await session.attend()
            for index in retentions.indices {
                try await retry.run(retentions[index].activity) { try await retentions[index].run(in: database) }
            }
            try await retry.run("finish verifications") { try await verifications.run() }
            guard mode == .untilCaughtUp, session.isIdle else { continue }
            let isInGroup = session.isAssigned || ContinuousClock.now - start > Self.joiningTime
            let paused = session.pauses.paused
            guard try await hasCaughtUp(after: event, isInGroup: isInGroup, except: paused, lag, retry) else {
                continue
            }
            try await retry.run("finish verifications") { try await verifications.run(isLast: true) }
            return
        }
    }

    /// How long it may take until a member has something to read, if it gets anything at all.
    private static let joiningTime = Duration.seconds(10)

    /// Looks at the lag when there is nothing more to read for the moment.
    /// - Parameters:
    ///   - isInGroup: Whether the log can have been compared with what was read of it before.
    ///   - paused: The partitions that are not waited for.
    private func hasCaughtUp(
        after event: ConsumerEvent?,
        isInGroup: Bool,
        except paused: Set<TopicPartition>,
        _ lag: ConsumerLag,
        _ retry: RetryLoop
    ) async throws -> Bool {
        switch event {
        case .messages(let messages) where messages.count < settings.batchSize: break
        case nil: break
        default: return false
        }
        return try await retry.run("look at the lag") {
            let partitions = try await lag.partitions()
            return partitions.allSatisfy { partition in
                paused.contains(partition.partition) || partition.isCaughtUp && (isInGroup || partition.position == 0)
            }
        }
    }

    private func loadIdentity() async throws -> ReplicaIdentity {
        let identity = try await database.transaction(.snapshot) { try ReplicaIdentity.load(in: &$0) }
        guard let identity else {
            throw DionysusError(.declaration, "the replica's database has no identity", advice: "run migrate")
        }
        return identity
    }

    /// Does not join a group that belongs to another replica.
    ///
    /// A group that can't be checked now is checked before anything is read.
    private func checkBeforeJoining(_ claim: GroupClaim) async throws {
        do {
            try await claim.check()
        } catch let error as DionysusError where error.code != .conflict {
            return
        }
    }

    /// A known gap in the log keeps the consumer from starting, unless it has to go on in spite of it.
    private func settleLosses(_ retry: RetryLoop) async throws {
        let offsets = OffsetStore(group: settings.effectiveGroupID)
        guard settings.onOutOfRange == .earliest else {
            let losses = try await retry.run("look for what was lost") {
                try await database.transaction(.snapshot) { try LogLosses(group: offsets.group).load(in: &$0) }
            }
            if !losses.isEmpty { throw LogLosses.Loss.error(losses) }
            return
        }
        let acceptance = LossAcceptance(offsets: offsets, database: database, broker: broker)
        for loss in try await retry.run("go on behind what was lost", { try await acceptance.run() }) {
            logger.warning("going on at the oldest message of \(loss.partition) that is kept, though \(loss.message)")
        }
    }

    private func check(_ consumer: some Consumer) async throws {
        let faults = try await ConsumerSchema(database: database).validate(consumer, settings: settings)
        guard !faults.isEmpty else { return }
        throw DionysusError(
            .declaration,
            "the consumer can't start:\n  - \(faults.joined(separator: "\n  - "))"
        )
    }

    private func close(_ session: inout GroupSession) async {
        await session.close()
        await session.member.close()
    }
}
