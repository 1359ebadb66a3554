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
    private let consumer: any Consumer
    private let database: any Database
    private let broker: any MessageBroker
    private let settings: ConsumerSettings
    private let stopsWhenCaughtUp: Bool
    private let instrumentation: Instrumentation
    private let logger: Logger

    /// Creates the service.
    /// - Parameters:
    ///   - consumer: What is kept a copy of.
    ///   - database: The replica's database.
    ///   - broker: The log of messages.
    ///   - settings: How it works.
    ///   - stopsWhenCaughtUp: Whether ``run()`` returns once the lag was zero on all partitions of all topics.
    ///   - instrumentation: Whom it tells what it does, and that it lives.
    ///   - logger: Where it logs to.
    public init(
        _ consumer: any Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings = ConsumerSettings(),
        stopsWhenCaughtUp: Bool = false,
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.consumer")
    ) {
        self.consumer = consumer
        self.database = database
        self.broker = broker
        self.settings = settings
        self.stopsWhenCaughtUp = stopsWhenCaughtUp
        self.instrumentation = instrumentation
        self.logger = logger
    }

    /// Reads until the service is shut down, or until it has caught up if that was asked for.
    /// - Throws: ``DionysusError`` with code `declaration` or `configuration` for what is wrong at the start, all faults
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
        let retry = RetryLoop(settings, telemetry)
        do {
            try await retry.run("check the declaration") { try await check(consumer) }
            let pipeline = try await ConsumerPipeline(
                consumer,
                database: database,
                broker: broker,
                settings: settings,
                telemetry: telemetry,
                logger: logger
            )
            let member = try await retry.run("join the group") {
                try await broker.makeConsumer(options(for: pipeline.topics))
            }
            for line in pipeline.topics.acceptances { logger.info("\(line)") }
            telemetry.started()
            var session = ConsumerSession(
                member: member,
                pipeline: pipeline,
                database: database,
                starts: StartingPositions(
                    topics: pipeline.topics,
                    offsets: OffsetStore(group: settings.effectiveGroupID),
                    database: database,
                    broker: broker
                ),
                settings: settings,
                logger: logger
            )
            let presence = ConsumerPresence(group: settings.effectiveGroupID, database: database, retry: retry)
            let lag = ConsumerLag(consumer, database: database, broker: broker, settings: settings)
            do {
                try await presence.kept { try await read(&session, lag, retry) }
            } catch {
                await close(&session, pipeline)
                throw error
            }
            await close(&session, pipeline)
        } catch is CancellationError where Task.isShuttingDownGracefully {
            logger.info("stopped")
        }
    }

    private func read(_ session: inout ConsumerSession, _ lag: ConsumerLag, _ retry: RetryLoop) async throws {
        let member = session.member
        var retention = TombstoneRetention(retention: settings.tombstoneRetention)
        var eventRetention = EventRetention(settings)
        while !Task.isShuttingDownGracefully {
            let event = try await cancelWhenGracefulShutdown {
                try await member.next(maxMessages: settings.batchSize, timeout: settings.pollTimeout)
            }
            session.telemetry.polled(member.outage)
            if let event { try await session.handle(event) }
            try await session.attend()
            try await retry.run("forget old destructions") { try await retention.run(in: database) }
            try await retry.run("remove old events") { try await eventRetention.run(in: database) }
            guard stopsWhenCaughtUp, session.isIdle else { continue }
            if try await hasCaughtUp(after: event, lag, retry) { return }
        }
    }

    /// Looks at the lag when there is nothing more to read for the moment.
    private func hasCaughtUp(after event: ConsumerEvent?, _ lag: ConsumerLag, _ retry: RetryLoop) async throws -> Bool {
        switch event {
        case .messages(let messages) where messages.count < settings.batchSize: break
        case nil: break
        default: return false
        }
        return try await retry.run("look at the lag") { try await lag.partitions().allSatisfy(\.isCaughtUp) }
    }

    private func check(_ consumer: some Consumer) async throws {
        let faults = try await ConsumerSchema(database: database).validate(consumer, settings: settings)
        guard !faults.isEmpty else { return }
        throw DionysusError(
            .declaration,
            "the consumer can't start:\n  - \(faults.joined(separator: "\n  - "))"
        )
    }

    private func options(for topics: TopicPlan) -> ConsumerOptions {
        ConsumerOptions(
            clientID: settings.clientID,
            groupID: settings.effectiveGroupID,
            topics: topics.names,
            topicPatterns: topics.patterns,
            settings: settings.brokerSettings
        )
    }

    private func close(_ session: inout ConsumerSession, _ pipeline: ConsumerPipeline) async {
        await session.close()
        await pipeline.close()
        await session.member.close()
    }
}
