import Dionysus
import DionysusConsumer
import Logging
import Synchronization
import TestSupport

/// A consumer of topics that a test puts together.
struct Listener: Consumer {
    var topics = [ConsumerTopic("rentals")]
    var filters: [MessageFilter] = []
    var middleware: [any ConsumerMiddleware] = []
    var onConsume: @Sendable (ConsumedEvent) async throws -> Void = { _ in }

    var namespaces: [Namespace] { Namespace("v3") { for topic in topics { topic } } }

    func didConsume(_ event: ConsumedEvent) async throws { try await onConsume(event) }
}

/// A table in which handlers write down what they receive.
enum Journal {
    static func create(in database: any Database) async throws {
        try await database.transaction(.write) { transaction in
            let key = transaction.dialect.columnType(.identity)
            _ = try transaction.run("CREATE TABLE journal (id \(raw: key), entry text NOT NULL)")
        }
    }

    static func note(_ entry: String, in transaction: inout Transaction) throws {
        try transaction.run("INSERT INTO journal (entry) VALUES (\(entry))")
    }

    /// A handler that writes down every event.
    static let handler: EventHandler = { event, transaction in
        try note("\(event.name) \(event.entityID ?? "-")", in: &transaction)
        return .acknowledged
    }
}

/// The errors that a service has told of.
final class ToldErrors: ErrorHandler {
    private let told = Mutex<[(error: any Error, context: ErrorContext)]>([])

    var all: [(error: any Error, context: ErrorContext)] { told.withLock { $0 } }

    func handle(_ error: any Error, _ context: ErrorContext) { told.withLock { $0.append((error, context)) } }
}

extension ReplicaHarness {
    /// A replica with a journal for handlers.
    static func runWithJournal(
        _ kind: TestDatabaseKind,
        _ body: (ReplicaHarness) async throws -> Void
    ) async throws {
        try await run(kind) { replica in
            try await Journal.create(in: replica.database)
            try await body(replica)
        }
    }

    /// What handlers have written down, in the order of writing.
    var journal: [String] { get async throws { try await rows("SELECT entry FROM journal ORDER BY id") } }

    /// The places of the events in the log, in the order of handling.
    var loggedPlaces: [String] {
        get async throws {
            try await rows("SELECT \"partition\", \"offset\", event_number FROM dionysus_events ORDER BY id")
        }
    }

    /// The offsets of the messages that are recorded as failed.
    var failedOffsets: [String] {
        get async throws { try await rows("SELECT \"offset\" FROM dionysus_failures ORDER BY \"offset\"") }
    }

    /// Applies everything that is in the log, and tells of errors.
    func consume(
        _ consumer: any Consumer,
        tellingErrorsTo errors: ToldErrors,
        settings: ConsumerSettings = .forTests
    ) async throws {
        var instrumentation = Instrumentation()
        instrumentation.errorHandler = errors
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        try await ConsumerService(
            consumer,
            database: database,
            broker: broker,
            settings: settings,
            mode: .untilCaughtUp,
            instrumentation: instrumentation,
            logger: logger
        )
        .run()
    }

    /// Has every message delivered again.
    func rewind() async throws {
        try await database.transaction(.write) { _ = try $0.run("UPDATE dionysus_offsets SET next_offset = 0") }
    }

    func write(_ statement: SQL) async throws {
        try await database.transaction(.write) { _ = try $0.run(statement) }
    }
}
