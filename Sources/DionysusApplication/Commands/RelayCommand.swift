import ArgumentParser
public import Dionysus
public import DionysusProducer
public import ServiceLifecycle

struct RelayCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "relay",
            abstract: "Runs the relay, which publishes the outbox's rows.",
            discussion: """
                On SIGTERM or Ctrl-C it finishes its running batches and exits with 0. With --until-empty it exits \
                with 1 if there are failed rows that wait for their next attempt, or rows that can't be published at \
                the moment, and with 2 if rows are parked.
                """
        )
    }

    @Flag(help: "Exit once nothing publishable is pending.") var untilEmpty = false
    @Option(help: "Number of concurrent batches.") var workers: Int?
    @Option(help: "Rows of the outbox in a batch.") var batchSize: Int?
    @OptionGroup var monitoring: MonitoringOptions

    func run() async throws {
        var environment = try ApplicationEnvironment<App>()
        var settings = environment.settings.producer
        settings.workers = workers ?? settings.workers
        settings.batchSize = batchSize ?? settings.batchSize
        try environment.settings.require([.source, .broker])
        let (source, broker) = (try environment.source(for: .relay), try environment.broker())
        environment.announce(.relay)
        let heartbeat = untilEmpty ? nil : try environment.heartbeat(of: .relay)
        let monitoring = try environment.monitor(.relay, self.monitoring, heartbeat, of: source)
        var instrumentation = environment.instrumentation
        instrumentation.heartbeat = monitoring.heartbeat
        let relay = RelayService(
            environment.registry,
            database: source,
            broker: broker,
            settings: settings,
            mode: untilEmpty ? .untilEmpty : .continuous,
            instrumentation: instrumentation,
            logger: environment.logger
        )
        let others = environment.application.relayServices(source)
        try await environment.run(monitoring.services + others + [relay])
        await broker.close()
        let inspector = OutboxInspector(database: source)
        let unpublished = untilEmpty ? try await inspector.unpublished() : nil
        let refused = untilEmpty ? try await inspector.refusedModels() : []
        await source.close()
        if let unpublished { try Self.report(unpublished, refused) }
    }
}

extension RelayCommand {
    /// Reports the remaining rows that won't be published soon.
    private static func report(_ rows: UnpublishedRows, _ refused: [ModelRefusal]) throws {
        for refusal in refused {
            printError(
                "rows of \(refusal.modelName) wait, and it is not published in \(refusal.topic): \(refusal.reason)"
            )
        }
        if rows.retrying > 0 {
            printError("\(rows.retrying) failed rows wait for their next attempt: `outbox list --failed` shows them")
        }
        if rows.parked > 0 {
            printError("\(rows.parked) rows are parked: `outbox list --parked` shows them")
            throw ExitCode(2)
        }
        if rows.retrying > 0 || !refused.isEmpty { throw ExitCode.failure }
    }
}

extension ApplicationEnvironment {
    /// Runs services until the first of them stops or a signal shuts them down.
    public func run(_ services: any Service...) async throws { try await run(services) }

    func run(_ services: [any Service]) async throws {
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
        // Remaining work is then cancelled: nothing is lost, it is repeated later.
        configuration.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: configuration).run()
    }
}

extension ApplicationEnvironment {
    /// Creates the application's relay.
    /// - Parameters:
    ///   - source: The database with the outbox.
    ///   - broker: The broker to publish to.
    ///   - mode: When it stops by itself.
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
