import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import Logging
import ServiceLifecycle

/// A consumer that counts how often each event takes effect, in the transaction of its offset.
struct Counting: Consumer {
    static let topics = ["v3_accounts", "v3_accounts_genesis", "v3_rentals", "v3_bookings"]

    var namespaces: [Namespace] {
        Namespace("v3") {
            for name in ["accounts", "accounts_genesis", "rentals", "bookings"] {
                // Several lanes, so that the offsets of lanes are attacked too.
                Topic(name).onFailure(.skip).concurrency(name == "rentals" ? 3 : 1).handling(Self.count)
            }
        }
    }

    private static func count(_ event: IncomingEvent, in transaction: inout Transaction) throws -> Handling {
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
        abstract: "Counts the effects of events; a process of a round.",
        shouldDisplay: false
    )

    @Argument(help: "The database's URL.") var database: String
    @Argument(help: "The broker.") var broker: String

    func run() async throws {
        var settings = ConsumerSettings()
        settings.clientID = "counter"
        var logger = Logger(label: "counter") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        let log: any MessageBroker
        if broker.hasPrefix("embedded:") {
            log = try EmbeddedBroker(path: String(broker.dropFirst("embedded:".count)))
        } else {
            settings.brokerSettings = ["session.timeout.ms": "6000", "heartbeat.interval.ms": "500"]
            log = try KafkaBroker(bootstrapServers: broker, logger: logger)
        }
        let replica = try System.open(database)
        let service = ConsumerService(Counting(), database: replica, broker: log, settings: settings, logger: logger)
        try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
        await log.close()
        await replica.close()
    }
}
