public import Dionysus
public import Logging
public import ServiceLifecycle

/// Reads the events of all streams in their global order from the database, and remembers how far it is.
///
///     let reader = EventReader("audit", store, database) { events, transaction in … }
///     try await reader.run()
///
/// For readers in the database itself, which need no broker. The handler's work and the new position are committed in one
/// transaction, so that its effect on the database takes place exactly once.
public struct EventReader: Service {
    private let name: String
    private let store: EventStore
    private let database: any Database
    private let categories: Set<String>
    private let batchSize: Int
    private let pollInterval: Duration
    private let logger: Logger
    private let handler: EventStore.InlineHandler

    /// Creates a reader.
    /// - Parameters:
    ///   - name: Its name, under which it remembers its position. Only one of those with one name works at a time.
    ///   - store: What knows the types of the events.
    ///   - database: The database with the streams.
    ///   - categories: The categories of the streams that it reads; empty for all.
    ///   - batchSize: How many events it handles in one transaction. Default 1,000.
    ///   - pollInterval: How often it looks for events. Default 200 ms.
    ///   - logger: Logs that the database is unavailable.
    ///   - handler: Called with events in their order.
    public init(
        _ name: String,
        _ store: EventStore,
        _ database: any Database,
        categories: Set<String> = [],
        batchSize: Int = 1_000,
        pollInterval: Duration = .milliseconds(200),
        logger: Logger = Logger(label: "dionysus.events"),
        handler: @escaping EventStore.InlineHandler
    ) {
        self.name = name
        self.store = store
        self.database = database
        self.categories = categories
        self.batchSize = batchSize
        self.pollInterval = pollInterval
        self.logger = logger
        self.handler = handler
    }

    /// Reads until the service is shut down.
    /// - Throws: What the handler throws, and ``/Dionysus/DionysusError`` that is not retriable.
    public func run() async throws {
        try await repeating(every: pollInterval, logger, "reader \(name) waits for the database") {
            try await readBatch()
        }
    }

    /// Reads until every event that has been committed is handled.
    /// - Throws: What the handler throws, and as ``/Dionysus/Database/transaction(_:_:)``.
    public func catchUp() async throws { while try await readBatch() {} }

    /// The global position up to which everything is handled; 0 at the beginning.
    public func position() async throws -> Int64 {
        try await database.transaction(.snapshot) { [name] transaction in
            try transaction.run("SELECT sequence FROM dionysus_event_readers WHERE name = \(name)").first?.integer(0)
                ?? 0
        }
    }

    /// - Returns: Whether there may be more.
    private func readBatch() async throws -> Bool {
        try await EventOrder().extend(on: database)
        return try await database.retryingConcurrentWrites { transaction in
            let dialect = transaction.dialect
            let results = try transaction.run([
                """
                INSERT INTO dionysus_event_readers (name, sequence, updated_at) VALUES (\(name), 0, \(dialect.now))
                ON CONFLICT (name) DO NOTHING
                """,
                "SELECT sequence FROM dionysus_event_readers WHERE name = \(name) \(raw: dialect.forUpdate)",
            ])
            let position = try results[1].first?.integer(0) ?? 0
            let end = try transaction.run("SELECT \(EventOrder.last)").first?.integer(0) ?? 0
            let last = min(end, position + Int64(batchSize))
            guard last > position else { return false }
            let events = try store.readPart(after: position, through: last, categories: categories, in: &transaction)
            if !events.isEmpty { try handler(events, &transaction) }
            try transaction.run(
                "UPDATE dionysus_event_readers SET sequence = \(last), updated_at = \(dialect.now) WHERE name = \(name)"
            )
            return last < end
        }
    }
}
