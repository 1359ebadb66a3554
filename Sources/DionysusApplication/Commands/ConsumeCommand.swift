import ArgumentParser
public import Dionysus
public import DionysusConsumer

struct ConsumeCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "consume",
            abstract: "Keeps the replica: the consumer.",
            discussion: "SIGTERM or Ctrl-C finishes the batches under way and ends with exit code 0."
        )
    }

    @Flag(help: "End once the lag was zero on all partitions.") var untilCaughtUp = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.replica, .broker])
        let (replica, broker) = (try environment.replica(for: .consumer), try environment.broker())
        let service = environment.consumerService(
            environment.application.consumer,
            replica,
            broker,
            stopsWhenCaughtUp: untilCaughtUp,
            heartbeat: untilCaughtUp ? nil : try environment.heartbeat(of: .consumer)
        )
        environment.announce(.consumer)
        try await environment.run(service)
        await broker.close()
        await replica.close()
    }
}

extension ApplicationEnvironment {
    /// A consumer with the application's settings.
    /// - Parameters:
    ///   - consumer: What it keeps.
    ///   - replica: Where.
    ///   - broker: Where from.
    ///   - stopsWhenCaughtUp: Whether it ends once the lag was zero on all partitions.
    ///   - heartbeat: Who is told that it lives.
    /// - Returns: The consumer.
    public func consumerService(
        _ consumer: some Consumer,
        _ replica: any Database,
        _ broker: any MessageBroker,
        stopsWhenCaughtUp: Bool = false,
        heartbeat: (any Heartbeat)? = nil
    ) -> ConsumerService {
        var instrumentation = instrumentation
        instrumentation.heartbeat = heartbeat
        return ConsumerService(
            consumer,
            database: replica,
            broker: broker,
            settings: settings.consumer,
            stopsWhenCaughtUp: stopsWhenCaughtUp,
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
                AGE is how old the oldest message is that is still to be applied, or, with a Kafka cluster, how long the \
                position has stood still. A position that is not in the log is named on standard error.

                JSON: a list of objects with topic, partition, end, position, lag, age (in seconds, or null) and \
                out_of_range.
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
            printError("the position \(lag.position) of \(lag.partition) is not in the log: reset the topic")
        }
    }

    private static func text(_ partitions: [PartitionLag]) -> String {
        tableText(
            ["TOPIC", "PARTITION", "END", "POSITION", "LAG", "AGE"],
            partitions.map { lag in
                [
                    lag.partition.topic, "\(lag.partition.partition)", "\(lag.endOffset)", "\(lag.position)",
                    "\(lag.lag)",
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
                    "lag": .integer(partition.lag),
                    "age": partition.age.map { .integer($0.components.seconds) } ?? .null,
                    "out_of_range": .bool(partition.isOutOfRange),
                ])
            }
        )
    }
}
