import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusPostgres
import DionysusSQLite
import Foundation
import Logging
import ServiceLifecycle
import TestSupport

/// Runs consumers in a separate process, which count how often each event takes effect.
///
///     CounterTool migrate DATABASE              creates the tables
///     CounterTool consume DATABASE BROKER       consumes until SIGTERM
///
/// `COUNTER_LANES=N` gives each partition virtual lanes. Two variables make a consumer fail at an exact point:
/// - `COUNTER_KILL_AT_COMMIT=N`: it is killed just before it commits its offsets to the broker for the n-th time, after
///   the database has committed.
/// - `COUNTER_FREEZE_AT_MESSAGES=FILE`: when it first has messages, before it processes them, it writes the file and
///   stops itself. When continued, it stops again after a moment until the file is gone; in that moment its other
///   threads release the locks that they held.
@main
struct CounterTool {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "migrate" where arguments.count == 2: try await migrate(arguments[1])
        case "consume" where arguments.count == 3: try await consume(arguments[1], arguments[2])
        default: throw DionysusError(.configuration, "usage: migrate DATABASE | consume DATABASE BROKER")
        }
    }

    private static func open(_ location: String) throws -> any Database {
        location.hasPrefix("postgres") ? try PostgresDatabase(url: location) : try SQLiteDatabase(path: location)
    }

    private static func migrate(_ location: String) async throws {
        let database = try open(location)
        _ = try await database.transaction(.write) { transaction in
            try transaction.run([
                "CREATE TABLE effects (event bigint PRIMARY KEY, n integer NOT NULL)",
                "CREATE TABLE things (id bigint, synced_id bigint NOT NULL UNIQUE, value integer)",
            ])
        }
        try await ConsumerSchema(database: database).migrate()
        await database.close()
    }

    private static func consume(_ location: String, _ seed: String) async throws {
        let environment = ProcessInfo.processInfo.environment
        let isEmbedded = seed.hasPrefix("embedded:")
        let base: any MessageBroker =
            isEmbedded
            ? try EmbeddedBroker(path: String(seed.dropFirst("embedded:".count)))
            : try KafkaBroker(bootstrapServers: seed)
        let broker = FailingBroker(
            base: base,
            fate: Fate(
                killAtCommit: environment["COUNTER_KILL_AT_COMMIT"].flatMap { Int($0) },
                freezeFile: environment["COUNTER_FREEZE_AT_MESSAGES"]
            )
        )
        var settings = ConsumerSettings()
        settings.clientID = "counter"
        settings.batchSize = 100
        settings.pollTimeout = .milliseconds(100)
        // The mock cluster drops a member that is silent for the three seconds of its first assignment.
        settings.brokerSettings =
            isEmbedded
            ? ["session.timeout.ms": "1000"] : ["session.timeout.ms": "4000", "heartbeat.interval.ms": "500"]
        var logger = Logger(label: "counter") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .info
        let database = try open(location)
        let service = ConsumerService(
            Counter(lanes: environment["COUNTER_LANES"].flatMap { Int($0) } ?? 1),
            database: database,
            broker: broker,
            settings: settings,
            logger: logger
        )
        try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
        await broker.close()
        await database.close()
    }
}

/// Replicates things, and counts the effect of each event in the same transaction.
struct Counter: Consumer {
    let lanes: Int

    var namespaces: [Namespace] {
        Namespace("v1") {
            Topic("things").lanes(lanes)
                .handling { event, transaction in
                    guard case .integer(let id)? = event.data["synced_id"] else { return .skipped }
                    try transaction.run(
                        "INSERT INTO effects (event, n) VALUES (\(id), 1) ON CONFLICT (event) DO UPDATE SET n = effects.n + 1"
                    )
                    return .acknowledged
                }
        }
    }
}

/// When a consumer fails.
struct Fate: Sendable {
    let killAtCommit: Int?
    let freezeFile: String?
}

/// A broker wrapper that makes a consumer fail.
struct FailingBroker: BrokerWrapper {
    let base: any MessageBroker
    let fate: Fate

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        FailingConsumer(base: try await base.makeConsumer(options), fate: fate)
    }
}

/// A group member that kills or stops its own process.
actor FailingConsumer: ConsumerWrapper {
    let base: any MessageConsumer
    private let fate: Fate
    private var commits = 0
    private var hasRead = false
    private var hasFrozen = false

    init(base: any MessageConsumer, fate: Fate) {
        self.base = base
        self.fate = fate
    }

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let event = try await base.next(maxMessages: maxMessages, maxBytes: maxBytes, timeout: timeout)
        if case .messages? = event { hasRead = true }
        if case .messages? = event, let file = fate.freezeFile, !hasFrozen {
            hasFrozen = true
            try Data().write(to: URL(filePath: file))
            while FileManager.default.fileExists(atPath: file) {
                raise(SIGSTOP)
                usleep(50_000)
            }
        }
        return event
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws {
        // The first commit only claims the group, before any message.
        if hasRead { commits += 1 }
        if commits == fate.killAtCommit { kill(getpid(), SIGKILL) }
        try await base.commit(offsets)
    }
}
