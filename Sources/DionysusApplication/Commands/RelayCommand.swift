import ArgumentParser
public import Dionysus
public import DionysusProducer
public import ServiceLifecycle

struct RelayCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "relay",
            abstract: "Publishes what the outbox holds: the outbox worker.",
            discussion: "SIGTERM or Ctrl-C finishes the batches under way and ends with exit code 0."
        )
    }

    @Flag(help: "End once nothing publishable is pending.") var untilEmpty = false
    @Option(help: "Batches to work on at once.") var workers: Int?
    @Option(help: "Rows of the outbox in a batch.") var batchSize: Int?

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        var settings = environment.settings.producer
        settings.workers = workers ?? settings.workers
        settings.batchSize = batchSize ?? settings.batchSize
        let (source, broker) = (try environment.source(), try environment.broker())
        var instrumentation = environment.instrumentation
        if !untilEmpty { instrumentation.heartbeat = try environment.heartbeat(of: .relay) }
        let relay = RelayService(
            environment.registry,
            database: source,
            broker: broker,
            settings: settings,
            mode: untilEmpty ? .untilEmpty : .continuous,
            instrumentation: instrumentation,
            logger: environment.logger
        )
        environment.announce(.relay)
        try await environment.run(relay)
        await broker.close()
        await source.close()
    }
}

extension ApplicationEnvironment {
    /// Runs services until the first of them ends, or a signal asks all of them to.
    /// - Parameter services: The services.
    public func run(_ services: any Service...) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup
                )
            },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        // What has not ended by then is cancelled: nothing is lost, it is done again.
        configuration.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: configuration).run()
    }
}

extension ApplicationEnvironment {
    /// The relay of the application.
    /// - Parameters:
    ///   - source: The database whose outbox is drained.
    ///   - broker: Where to.
    ///   - mode: When it ends by itself.
    ///   - onPublished: Called after each batch that the broker has acknowledged.
    /// - Returns: The relay.
    public func relayService(
        _ source: any CapturingDatabase,
        _ broker: any MessageBroker,
        mode: RelayService.Mode = .continuous,
        onPublished: @escaping @Sendable (PublishedBatch) -> Void = { _ in }
    ) -> RelayService {
        RelayService(
            registry,
            database: source,
            broker: broker,
            settings: settings.producer,
            mode: mode,
            instrumentation: instrumentation,
            logger: logger,
            onPublished: onPublished
        )
    }
}
