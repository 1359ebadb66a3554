import Dionysus
import Logging

extension ConsumerPipeline {
    /// Puts the stages together.
    /// - Throws: ``DionysusError`` when the broker can't be used.
    init(
        _ consumer: some Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings,
        telemetry: ConsumerTelemetry,
        retry: RetryLoop,
        logger: Logger
    ) async throws {
        let topics = TopicPlan(consumer, settings: settings)
        var deadLetters: DeadLetters?
        if topics.hasDeadLetters {
            deadLetters = DeadLetters(
                producer: try await broker.makeProducer(ProducerOptions(clientID: settings.clientID))
            )
        }
        let group = settings.effectiveGroupID
        self.init(
            topics: topics,
            naming: Naming(settings),
            catalogue: ReplicaCatalogue(
                database: database,
                models: consumer.models,
                settings: settings,
                logger: logger
            ),
            persister: Persister(
                database: database,
                offsets: OffsetStore(group: group),
                failureLog: FailureLog(group: group)
            ),
            parking: Parking(deadLetters: deadLetters, retry: retry, telemetry: telemetry),
            reactor: Reactor(didConsume: consumer.didConsume, telemetry: telemetry),
            retry: retry,
            maxRetries: settings.maxRetries,
            telemetry: telemetry
        )
    }

    /// Ends what the stages use.
    func close() async {
        await parking.deadLetters?.producer.close(deadline: .seconds(5))
    }
}
