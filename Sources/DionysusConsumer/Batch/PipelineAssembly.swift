import Dionysus
import Logging

extension ConsumerPipeline {
    /// Puts the stages together.
    ///
    /// Without a broker it can only replay what the database holds.
    /// - Throws: ``DionysusError`` when the broker can't be used.
    init(
        _ consumer: some Consumer,
        database: any Database,
        broker: (any MessageBroker)?,
        settings: ConsumerSettings,
        instrumentation: Instrumentation,
        retry: RetryLoop,
        logger: Logger
    ) async throws {
        let topics = TopicPlan(consumer, settings: settings)
        var deadLetters: DeadLetters?
        if topics.hasDeadLetters, let broker {
            deadLetters = DeadLetters(
                producer: try await broker.makeProducer(ProducerOptions(clientID: settings.clientID)),
                group: settings.effectiveGroupID
            )
        }
        let group = settings.effectiveGroupID
        self.init(
            topics: topics,
            naming: Naming(settings),
            catalogue: ReplicaCatalogue(
                database: database,
                factory: ModelFactory(consumer, inflection: settings.inflection),
                settings: settings,
                logger: logger
            ),
            persister: Persister(
                database: database,
                offsets: OffsetStore(group: group),
                failureLog: FailureLog(group: group)
            ),
            parking: Parking(deadLetters: deadLetters, retry: retry, logger: logger),
            reactor: Reactor(didConsume: consumer.didConsume, logger: logger),
            retry: retry,
            retryPolicies: RetryPolicies(settings),
            group: group,
            errorHandler: instrumentation.errorHandler(logger: logger),
            logger: logger
        )
    }

    /// Ends what the stages use.
    func close() async {
        await parking.deadLetters?.producer.close(deadline: .seconds(5))
    }
}
