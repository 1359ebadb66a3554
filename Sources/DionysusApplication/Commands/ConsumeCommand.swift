import ArgumentParser
public import Dionysus
public import DionysusConsumer

struct ConsumeCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "consume",
            abstract: "Runs the consumer, which updates the replica.",
            discussion: """
                On SIGTERM or Ctrl-C it finishes its running batches and exits with 0.

                If messages may have been missed, because the log has deleted them or a topic was recreated, it exits \
                with 1, at every start until the topic is reset or --accept-loss is given once.
                """
        )
    }

    @Flag(help: "Exit once the lag was zero on all partitions.") var untilCaughtUp = false
    @Flag(help: "If messages were missed, continue with the oldest retained message.") var acceptLoss = false
    @OptionGroup var monitoring: MonitoringOptions

    func run() async throws {
        var environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.replica, .broker])
        let (replica, broker) = (try environment.replica(for: .consumer), try environment.broker())
        environment.announce(.consumer)
        let heartbeat = untilCaughtUp ? nil : try environment.heartbeat(of: .consumer)
        let monitoring = try environment.monitor(.consumer, self.monitoring, heartbeat, of: replica)
        let service = environment.consumerService(
            environment.application.consumer,
            replica,
            broker,
            stopsWhenCaughtUp: untilCaughtUp,
            acceptsLoss: acceptLoss,
            heartbeat: monitoring.heartbeat
        )
        try await environment.run(monitoring.services + [service])
        await broker.close()
        await replica.close()
    }
}

extension ApplicationEnvironment {
    /// Creates a consumer with the application's settings.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - replica: The database with the replica.
    ///   - broker: The broker to read from.
    ///   - stopsWhenCaughtUp: Whether it stops once the lag was zero on all partitions.
    ///   - acceptsLoss: Whether it continues with the oldest retained message if messages were missed.
    ///   - heartbeat: Receives its signs of life.
    /// - Returns: The consumer.
    public func consumerService(
        _ consumer: some Consumer,
        _ replica: any Database,
        _ broker: any MessageBroker,
        stopsWhenCaughtUp: Bool = false,
        acceptsLoss: Bool = false,
        heartbeat: (any Heartbeat)? = nil
    ) -> ConsumerService {
        var settings = settings.consumer
        if acceptsLoss { settings.onOutOfRange = .earliest }
        var instrumentation = instrumentation
        instrumentation.heartbeat = heartbeat
        return ConsumerService(
            consumer,
            database: replica,
            broker: broker,
            settings: settings,
            mode: stopsWhenCaughtUp ? .untilCaughtUp : .continuous,
            instrumentation: instrumentation,
            logger: logger
        )
    }
}

struct LagCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "lag",
            abstract: "Shows how far the replica is behind, by topic and partition.",
            discussion: """
                AGE is the age of the oldest unapplied message or, with a Kafka cluster, the time since the position \
                last moved. If a position is not in the log, because its messages were deleted or the topic was \
                recreated, LAG is unknown (?), and standard error says so.

                JSON: a list of objects with topic, partition, end, position, lag (null if unknown), age (in seconds, \
                or null) and out_of_range.
                """
        )
    }

    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.replica, .broker])
        let (replica, broker) = (try environment.replica(), try environment.broker())
        let lag = ConsumerLag(
            environment.application.consumer,
            database: replica,
            broker: broker,
            settings: environment.settings.consumer
        )
        let partitions = try await lag.partitions()
        await broker.close()
        await replica.close()
        print(json ? Self.json(partitions).text : Self.text(partitions))
        for lag in partitions where lag.isOutOfRange {
            printError(
                lag.loss.map { "\($0): reset the topic, or consume --accept-loss" }
                    ?? "the position \(lag.position) of \(lag.partition) is not in the log: reset the topic"
            )
        }
    }

    private static func text(_ partitions: [PartitionLag]) -> String {
        tableText(
            ["TOPIC", "PARTITION", "END", "POSITION", "LAG", "AGE"],
            partitions.map { lag in
                [
                    lag.partition.topic, "\(lag.partition.partition)", "\(lag.endOffset)", "\(lag.position)",
                    lag.lag.map { "\($0)" } ?? "?",
                    lag.age.map { "\($0.components.seconds) s" } ?? "-",
                ]
            }
        )
    }

    private static func json(_ partitions: [PartitionLag]) -> JSON {
        .array(
            partitions.map { partition in
                .object([
                    "topic": .string(partition.partition.topic),
                    "partition": .integer(Int64(partition.partition.partition)),
                    "end": .integer(partition.endOffset), "position": .integer(partition.position),
                    "lag": partition.lag.map(JSON.integer) ?? .null,
                    "age": partition.age.map { .integer($0.components.seconds) } ?? .null,
                    "out_of_range": .bool(partition.isOutOfRange),
                ])
            }
        )
    }
}
