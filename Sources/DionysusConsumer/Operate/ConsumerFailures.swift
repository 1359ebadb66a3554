public import Dionysus
public import Logging

/// Lists the messages that a consumer could not apply, and applies them once the cause is fixed.
///
///     let failures = ConsumerFailures(RentalMirror(), database: database, broker: broker, settings: settings)
///     for failure in try await failures.list(FailureFilter(topic: "v3_rentals")) { print(failure.errorMessage) }
///     try await failures.retry([42])
///
/// It sees the failures of the settings' group only, and can be used while consumers run.
public struct ConsumerFailures: Sendable {
    private let consumer: any Consumer
    let database: any Database
    private let broker: any MessageBroker
    let settings: ConsumerSettings
    private let instrumentation: Instrumentation
    private let logger: Logger
    let queries: FailureQueries

    /// Creates it.
    /// - Parameters:
    ///   - consumer: The declaration, by which messages are applied.
    ///   - database: The database with the replica.
    ///   - broker: The broker, for dead-letter topics.
    ///   - settings: The consumer's settings.
    ///   - instrumentation: Monitor, event bus, error handler, metrics and tracer.
    ///   - logger: Receives what the retried messages log.
    public init(
        _ consumer: any Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings = ConsumerSettings(),
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.failures")
    ) {
        self.consumer = consumer
        self.database = database
        self.broker = broker
        self.settings = settings
        self.instrumentation = instrumentation
        self.logger = logger
        queries = FailureQueries(group: settings.effectiveGroupID)
    }

    /// Lists failures, in the order in which they were recorded.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if nothing has been migrated, and as for a transaction.
    public func list(_ filter: FailureFilter = FailureFilter()) async throws -> [RecordedFailure] {
        try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.list(filter)).rows.map { try RecordedFailure($0) }
        }
    }

    /// Finds a failure.
    /// - Parameter id: Its id.
    /// - Returns: The failure, or nil if there is none.
    /// - Throws: As ``list(_:)``.
    public func failure(_ id: Int64) async throws -> RecordedFailure? {
        try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.failure(id)).first.map { try RecordedFailure($0) }
        }
    }

    /// Finds the message of a failure, with the partition, offset, headers and time that it had.
    /// - Parameter id: The failure's id.
    /// - Returns: The message, or nil if there is no such failure.
    /// - Throws: As ``list(_:)``.
    public func message(_ id: Int64) async throws -> ConsumedMessage? { try await stored(id)?.message }

    /// Applies the messages of failures, each in a transaction that removes its failure, and then those that wait behind
    /// it, in their order.
    ///
    /// A message takes the same way as one that is read, with the guard against outdated events, filters and handlers. One
    /// that fails again stays, with one more attempt and the new error. Of several that retry the same failure at the same
    /// time, one applies it.
    /// - Returns: The result for each id, in the order given.
    /// - Throws: As ``list(_:)``; what was applied until then stays applied.
    @discardableResult
    public func retry(_ ids: [Int64]) async throws -> [FailureRetry] {
        try await withPipeline { pipeline in
            var results: [FailureRetry] = []
            for id in ids { results.append(try await retry(id, pipeline)) }
            return results
        }
    }

    /// Retries all failures that are there now, the oldest first, each once.
    /// - Parameter topic: The full name of a topic, for its failures only.
    /// - Returns: The result for each failure that did not wait behind another.
    /// - Throws: As ``retry(_:)``.
    @discardableResult
    public func retryAll(topic: String? = nil) async throws -> [FailureRetry] {
        let last = try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.lastID).first?.integer(0) ?? 0
        }
        return try await withPipeline { pipeline in
            var results: [FailureRetry] = []
            var position: Int64 = 0
            while true {
                let page = queries.first(of: topic, after: position, upTo: last, limit: 500)
                let ids = try await database.transaction(.snapshot) { transaction in
                    try transaction.run(page).rows.compactMap { try $0.integer(0) }
                }
                guard let end = ids.last else { return results }
                for id in ids {
                    let result = try await retry(id, pipeline)
                    // Some that were without another before them have been applied behind one of this page.
                    if result.outcome != .notFound { results.append(result) }
                }
                position = end
            }
        }
    }

    /// Deletes failures: their messages are never applied.
    ///
    /// Messages that waited behind one stay recorded, and are applied when the first of them is retried.
    /// - Returns: Those that were there and are deleted.
    /// - Throws: As ``list(_:)``.
    @discardableResult
    public func delete(_ ids: [Int64]) async throws -> Set<Int64> {
        guard !ids.isEmpty else { return [] }
        return try await database.transaction(.write) { [queries] transaction in
            try queries.check(in: &transaction)
            let dialect = transaction.dialect
            for row in try transaction.run(queries.partitions(of: ids, dialect)).rows {
                let partition = TopicPartition(
                    try row.text(0) ?? "",
                    Int32(truncatingIfNeeded: try row.integer(1) ?? 0)
                )
                let failures = RecordedPartition(group: queries.group, partition: partition)
                try transaction.run(failures.lock(dialect, shared: false))
            }
            var deleted: Set<Int64> = []
            for id in ids where try transaction.run(queries.delete(id)).affectedRows > 0 { deleted.insert(id) }
            return deleted
        }
    }

    /// Applies the messages of a dead-letter topic as if each came from the topic, partition and offset that it had.
    ///
    /// It continues where it last ended, and stops at the topic's current end. A message that fails again is recorded in
    /// the database and not sent to the topic once more, so that nothing goes in circles. Messages of other groups are left
    /// out.
    /// - Parameter topic: The full name of the dead-letter topic.
    /// - Returns: How many messages were applied, recorded and left out.
    /// - Throws: As ``list(_:)``; `unknownTopic` if there is no such topic, `conflict` if another process replays it, and
    ///   what the broker throws.
    public func replayDeadLetters(of topic: String) async throws -> DeadLetterReplay {
        try await database.transaction(.snapshot) { [queries] in try queries.check(in: &$0) }
        return try await withPipeline { pipeline in
            var reader = DeadLetterReader(
                topic: topic,
                pipeline: pipeline,
                database: database,
                broker: broker,
                settings: settings,
                logger: logger
            )
            return try await reader.run()
        }
    }

    func stored(_ id: Int64) async throws -> StoredFailure? {
        try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.message(id)).first.map { try StoredFailure(id: id, $0) }
        }
    }

    private func retry(_ id: Int64, _ pipeline: ConsumerPipeline) async throws -> FailureRetry {
        guard let failure = try await stored(id) else { return FailureRetry(id: id, outcome: .notFound) }
        let result = try await applyAgain(failure, pipeline)
        return result.outcome == .applied ? try await release(behind: failure, result, pipeline) : result
    }

    /// Applies what waits behind a failure that has been applied, in its order.
    func release(
        behind failure: StoredFailure,
        _ result: FailureRetry,
        _ pipeline: ConsumerPipeline
    ) async throws -> FailureRetry {
        var (failure, result) = (failure, result)
        while let follower = try await follower(of: failure) {
            switch try await applyAgain(follower, pipeline).outcome {
            case .applied: result.released += 1
            case .failed:
                result.stoppedAt = follower.id
                return result
            case .waiting, .notFound: return result
            }
            failure = follower
        }
        return result
    }

    /// The next message of a failure's key, if it waits.
    private func follower(of failure: StoredFailure) async throws -> StoredFailure? {
        guard let key = failure.message.key else { return nil }
        let partition = RecordedPartition(group: queries.group, partition: failure.message.source)
        let next = try await database.transaction(.snapshot) { transaction -> Int64? in
            let row = try transaction.run(partition.next(under: key, after: failure.message.offset)).first
            guard let row, try row.integer(1) == 0 else { return nil }
            return try row.integer(0)
        }
        guard let next else { return nil }
        return try await stored(next)
    }

    private func applyAgain(_ failure: StoredFailure, _ pipeline: ConsumerPipeline) async throws -> FailureRetry {
        do {
            let resolution = Checkpoint.resolve(failure.resolution(in: queries.group))
            switch try await pipeline.applyAgain(failure.message, completing: resolution) {
            case .done: return FailureRetry(id: failure.id, outcome: .applied)
            case .refused(.failureWaits(let other)):
                return FailureRetry(id: failure.id, outcome: .waiting, behind: other)
            case .refused: return FailureRetry(id: failure.id, outcome: .notFound)
            }
        } catch {
            guard let error = DionysusError(ofMessages: error), !error.isRetriable else { throw error }
            return try await fail(failure, DionysusError(once: failure.message, error))
        }
    }

    private func fail(_ failure: StoredFailure, _ error: DionysusError) async throws -> FailureRetry {
        logger.error("a message failed again: \(error)", metadata: ["failure": "\(failure.id)"])
        let found = try await database.transaction(.write) { [queries] transaction in
            try transaction.run(queries.fail(failure.id, RecordedError(error), transaction.dialect)).affectedRows > 0
        }
        return FailureRetry(id: failure.id, outcome: found ? .failed : .notFound, error: error.description)
    }

    func withPipeline<T>(_ body: (ConsumerPipeline) async throws -> T) async throws -> T {
        let pipeline = try await ConsumerPipeline(
            consumer,
            database: database,
            broker: broker,
            settings: settings,
            telemetry: ConsumerTelemetry(
                instrumentation,
                system: broker.messagingSystem,
                settings: settings,
                logger: logger
            ),
            logger: logger
        )
        return try await closing({ await pipeline.close() }) { try await body(pipeline) }
    }
}

extension ConsumerPipeline {
    /// Applies a message once more that was kept, a few times over while the database asks for it.
    ///
    /// Unlike a consumer it does not wait until a database is back: a person waits for the answer.
    /// - Parameter isEdited: Whether a person has written its value anew.
    func applyAgain(
        _ message: ConsumedMessage,
        isEdited: Bool = false,
        completing checkpoint: Checkpoint
    ) async throws -> Verdict<Applied> {
        var tries = 1
        let backoff = Backoff(initial: .milliseconds(20), maximum: .seconds(1))
        return try await backoff.retrying(while: { tries < 8 }) {
            tries += 1
            var progress = BatchProgress(of: message)
            return try await apply(Delivery(retrying: message, isEdited: isEdited, completing: checkpoint), &progress)
        }
    }
}
