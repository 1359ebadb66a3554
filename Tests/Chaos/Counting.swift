import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import Foundation
import Logging
import ServiceLifecycle

/// A consumer that counts how often each event takes effect, in the transaction of its offset.
struct Counting: Consumer {
    /// The time that a handler takes for every hundredth event of its partition.
    var slowness = Duration.zero

    static let topics = ["v3_accounts", "v3_accounts_genesis", "v3_rentals", "v3_bookings"]

    var namespaces: [Namespace] {
        Namespace("v3") {
            for name in ["accounts", "accounts_genesis", "rentals", "bookings"] {
                // Several lanes, so that the offsets of lanes are attacked too.
                Topic(name).onFailure(.skip).lanes(name == "rentals" ? 3 : 1)
                    .handling { event, transaction in
                        if slowness > .zero, event.message.offset % 100 == 0 {
                            usleep(UInt32(slowness / .microseconds(1)))
                        }
                        return try Self.count(event, in: &transaction)
                    }
            }
        }
    }

    private static func count(_ event: IncomingEvent, in transaction: inout Transaction) throws -> HandlerResult {
        try transaction.run(
            """
            INSERT INTO effects (topic, part, place, n)
            VALUES (\(event.message.source.topic), \(event.message.source.partition), \(event.message.offset), 1)
            ON CONFLICT (topic, part, place) DO UPDATE SET n = effects.n + 1
            """
        )
        return .acknowledged
    }

    static func migrate(_ url: String) async throws {
        let database = try System.open(url)
        try await database.transaction(.write) { transaction in
            _ = try transaction.run(
                """
                CREATE TABLE effects (topic text NOT NULL, part integer NOT NULL, place bigint NOT NULL, n integer NOT NULL,
                  PRIMARY KEY (topic, part, place))
                """
            )
        }
        try await ConsumerSchema(database: database).migrate()
        await database.close()
    }
}

struct CountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count",
        abstract: "Counts the effects of events; used by rounds.",
        shouldDisplay: false
    )

    @Argument(help: "The database's URL.") var database: String
    @Argument(help: "The broker.") var broker: String
    @Option(help: "The time, in ms, that a handler takes for some events.") var slowness = 0
    @Option(help: "Kafka's max.poll.interval.ms.") var pollInterval = 300_000

    func run() async throws {
        var settings = ConsumerSettings()
        settings.clientID = "counter"
        var logger = Logger(label: "counter") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        let log: any MessageBroker
        let session = "\(Int(Fault.sessionTimeout / .milliseconds(1)))"
        if broker.hasPrefix("embedded:") {
            settings.brokerSettings = ["session.timeout.ms": session]
            log = try EmbeddedBroker(path: String(broker.dropFirst("embedded:".count)))
        } else {
            settings.brokerSettings = [
                "session.timeout.ms": session, "heartbeat.interval.ms": "500",
                "max.poll.interval.ms": "\(pollInterval)",
            ]
            log = try KafkaBroker(bootstrapServers: broker, logger: logger)
        }
        let replica = try System.open(database)
        let service = ConsumerService(
            Counting(slowness: .milliseconds(slowness)),
            database: replica,
            broker: log,
            settings: settings,
            logger: logger
        )
        try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
        await log.close()
        await replica.close()
    }
}
