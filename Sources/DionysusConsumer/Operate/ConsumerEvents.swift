public import Dionysus
public import Logging

/// Lists the event log of a group, and handles its events once more.
///
///     let events = try await ConsumerEvents(RentalMirror(), database: database, settings: settings)
///     for event in try await events.list(EventLogFilter(entityID: "5")) { print(event.id, event.type) }
///     try await events.retry([42])
///
/// It needs no broker, and can be used while consumers run.
public struct ConsumerEvents: Sendable {
    /// The result of handling an event once more.
    public enum Outcome: Sendable {
        /// It was handled.
        case done
        /// The log has no event of that id.
        case notFound
        /// A filter leaves it out now.
        case skipped
        /// It failed, and nothing has been changed.
        case failed(DionysusError)
    }

    private static let maxConflicts = 5

    private let database: any Database
    private let group: String
    private let pipeline: ConsumerPipeline

    /// Opens the log.
    /// - Parameters:
    ///   - consumer: The declaration, whose handlers and replicas events are handled by.
    ///   - database: The database with the replica.
    ///   - settings: The settings of the consumer that wrote the log.
    ///   - instrumentation: Monitor, event bus, error handler, metrics and tracer.
    ///   - logger: Receives what handlers of events log.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` when there is no event log.
    public init(
        _ consumer: some Consumer,
        database: any Database,
        settings: ConsumerSettings,
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.consumer")
    ) async throws {
        self.database = database
        group = settings.effectiveGroupID
        let table = try await database.transaction(.snapshot) { try $0.describe(table: "dionysus_events") }
        guard table != nil else {
            throw DionysusError(.declaration, "there is no event log in the database", advice: "run migrate first")
        }
        pipeline = try await ConsumerPipeline(
            consumer,
            database: database,
            broker: nil,
            settings: settings,
            telemetry: ConsumerTelemetry(instrumentation, settings: settings, logger: logger),
            logger: logger
        )
    }

    /// Lists events, in the order in which they were handled first.
    /// - Throws: As for a transaction.
    public func list(_ filter: EventLogFilter = EventLogFilter()) async throws -> [LoggedEvent] {
        try await load(where: filter.condition, limit: filter.limit)
    }

    /// Finds an event.
    /// - Parameter id: Its id in the log.
    /// - Returns: The event, or nil if there is none.
    /// - Throws: As for a transaction.
    public func event(_ id: Int64) async throws -> LoggedEvent? {
        try await load(where: "id = \(id)", limit: 1).first
    }

    /// Handles events once more, each in a transaction of its own, in the order of their places in the log of messages.
    ///
    /// An event goes through filters, persistence and handlers as it did when it was delivered, but for middleware that
    /// looks at single messages and for the batch transformation. An event that is older than its record changes nothing
    /// in the replica; the handlers are called all the same. One that fails does not keep the others from being handled.
    /// - Returns: The result for each id, in the order given.
    /// - Throws: As for a transaction, and `CancellationError`.
    @discardableResult
    public func retry(_ ids: [Int64]) async throws -> [(id: Int64, outcome: Outcome)] {
        let dialect = database.dialect
        let isWanted = dialect.isAny("id", of: ids.map(DatabaseValue.integer), type: .integer)
        let found = try await load(where: isWanted, limit: ids.count)
        var outcomes: [Int64: Outcome] = [:]
        for event in found.sorted(by: { $0.position < $1.position }) { outcomes[event.id] = try await retry(event) }
        return ids.map { ($0, outcomes[$0] ?? .notFound) }
    }

    private func retry(_ event: LoggedEvent) async throws -> Outcome {
        var conflicts = 0
        while true {
            do {
                return try await pipeline.handleAgain(event) ? .done : .skipped
            } catch let error as DionysusError {
                if error.code == .notFound { return .notFound }
                conflicts += 1
                guard error.code == .transactionConflict, conflicts <= Self.maxConflicts else { return .failed(error) }
                try await pipeline.retry.pause(afterFailures: conflicts)
            }
        }
    }

    private func load(where condition: SQL, limit: Int) async throws -> [LoggedEvent] {
        try await database.transaction(.snapshot) { [group] transaction in
            try transaction.run(
                """
                SELECT \(LoggedEvent.columns) FROM dionysus_events WHERE "group" = \(group) AND \(condition)
                ORDER BY id LIMIT \(limit)
                """
            )
            .rows.map { try LoggedEvent($0) }
        }
    }
}

extension LoggedEvent {
    /// Where it stands in the log of messages.
    fileprivate var position: (TopicPartition, Int64, Int) { (source, offset, number) }
}

extension ConsumerPipeline {
    /// Handles an event of the event log once more, on its own.
    /// - Returns: Whether it was handled; nothing has been changed if a filter leaves it out.
    /// - Throws: Why it can't be applied; nothing has been changed then.
    fileprivate func handleAgain(_ event: LoggedEvent) async throws -> Bool {
        let identity = topics[event.source.topic].eventIdentity ?? .position
        let log = EventLog(group: event.group, identity: identity, reprocessed: event.id)
        var progress = BatchProgress(of: event.message)
        let delivery = Delivery(of: event.message, number: event.number, in: log)
        guard case .done(let applied) = try await apply(delivery, &progress) else { return false }
        return !applied.isLeftOut
    }
}
