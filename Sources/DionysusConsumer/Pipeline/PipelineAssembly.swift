import Dionysus
import Logging

extension ConsumerPipeline {
    /// Assembles the stages.
    /// - Parameters:
    ///   - broker: Where dead letters go; nil where none can come up.
    ///   - telemetry: Reports what the stages do.
    /// - Throws: ``DionysusError`` when the broker can't be used.
    init(
        _ consumer: some Consumer,
        database: any Database,
        broker: (any MessageBroker)?,
        settings: ConsumerSettings,
        telemetry: ConsumerTelemetry,
        logger: Logger
    ) async throws {
        let topics = ConsumedTopics(consumer, settings: settings)
        let group = settings.effectiveGroupID
        var deadLetters: DeadLetters?
        if topics.hasDeadLetters, let broker {
            deadLetters = DeadLetters(
                producer: try await broker.makeProducer(ProducerOptions(clientID: settings.clientID)),
                group: group
            )
        }
        let retry = RetryLoop(maximumDelay: settings.maxRetryDelay, observer: telemetry)
        self.init(
            topics: topics,
            naming: settings.naming,
            clock: ReplicaClock(database: database, skew: settings.maxClockSkew),
            recordReaders: RecordReaders(settings.schemaRegistry),
            catalogue: ReplicaCatalogue(
                database: database,
                factory: ModelFactory(consumer, settings),
                settings: settings,
                logger: logger
            ),
            skippedModels: SkippedModels(logger),
            persister: Persister(
                database: database,
                offsets: OffsetStore(group: group),
                failureLog: FailureLog(group: group)
            ),
            parking: Parking(deadLetters: deadLetters, retry: retry, telemetry: telemetry),
            reactor: Reactor(didConsume: consumer.didConsume, eventBus: telemetry.eventBus, telemetry: telemetry),
            retry: retry,
            settings: settings,
            telemetry: telemetry
        )
    }

    /// Closes what the stages use.
    func close() async {
        await parking.deadLetters?.producer.close(deadline: .seconds(5))
    }
}
