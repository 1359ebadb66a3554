import Dionysus
import Logging

/// The way of a partition's messages from the broker to the replica.
struct ConsumerPipeline: Sendable {
    let topics: TopicPlan
    let naming: Naming
    let catalogue: ReplicaCatalogue
    let persister: Persister
    let parking: Parking
    let reactor: Reactor
    let retry: RetryLoop
    let retryPolicies: RetryPolicies
    let group: String
    let errorHandler: any ErrorHandler
    let logger: Logger

    /// Applies the next messages of a partition.
    ///
    /// This is the consumer.
    private func apply(_ batch: PartitionBatch, _ progress: inout Progress) async throws {
        let topic = topics[batch.partition.topic]
        let waiting = progress.waiting
        let middleware = middleware(of: topic)
        try await middleware.handle(batch.messageBatch) {
            let received = try await middleware.receive(batch.messages.filter { !waiting.contains($0) })
            let decoded = decode(received, of: topic)
            let accepted = try topic.filters.accept(decoded.messages)
            let bound = try await bind(try topic.transform(accepted.messages), of: topic)
            let failures = (decoded.failures + bound.failures).asReceived(batch.messages)
            if topic.failurePolicy.holdsKeys { try waiting.compare(with: failures, in: batch) }
            let parked = try await park(failures, by: topic.failurePolicy, &progress)
            let recorded = parked + waiting.failures(in: batch)
            let work = work(
                on: accepted.messages,
                without: failures,
                bound: bound.batch,
                of: batch.messageBatch,
                topic,
                log(of: topic)
            )
            let persisted = try await persist(bound.batch, work, recording: recorded, batch, &progress)
            for event in accepted.skipped { errorHandler.handle(event) }
            await reactor.react(to: persisted.applied)
        }
    }

    /// Applies a message once more that was kept from an earlier delivery, on its own.
    /// - Parameters:
    ///   - message: The message, with the topic, partition and offset it had.
    ///   - completion: What keeps it from being applied yet again.
    /// - Throws: Why it can't be applied; nothing has been changed then.
    func replay(_ message: ConsumedMessage, completing completion: Completion) async throws {
        let batch = MessageBatch(partition: message.source, messages: [message])
        let topic = topics[message.source.topic]
        let middleware = middleware(of: topic)
        try await middleware.handle(batch) {
            let received = try await middleware.receive(batch.messages)
            let decoded = decode(received, of: topic)
            if let failure = decoded.failures.first { throw failure.error }
            try await apply(decoded.messages, of: batch, by: topic, log(of: topic), completing: completion)
        }
    }

    /// Applies messages that have been decoded, as they are.
    /// - Returns: Whether filters have left anything of them.
    /// - Throws: Why they can't be applied; nothing has been changed then.
    @discardableResult
    func apply(
        _ messages: [DecodedMessage],
        of batch: MessageBatch,
        by topic: ConsumerTopic,
        _ log: EventLog?,
        completing completion: Completion
    ) async throws -> Bool {
        let (accepted, skipped) = try topic.filters.accept(messages)
        let bound = try await bind(try topic.transform(accepted), of: topic)
        if let failure = bound.failures.first { throw failure.error }
        let work = work(on: accepted, without: [], bound: bound.batch, of: batch, topic, log)
        let write = BatchWrite(batch: bound.batch, handlers: work, completion: completion)
        let persisted = try await work.locked { try await persister.persist(write) }
        for event in skipped { errorHandler.handle(event) }
        await reactor.react(to: persisted.applied)
        return skipped.isEmpty || accepted.contains { !$0.incomingEvents.isEmpty }
    }

    /// The middleware around a topic's messages.
    func middleware(of topic: ConsumerTopic) -> MiddlewareChain {
        MiddlewareChain(middleware: topic.middleware, retry: retry, errorHandler: errorHandler)
    }

    private func log(of topic: ConsumerTopic) -> EventLog? {
        topic.eventIdentity.map { EventLog(group: group, identity: $0) }
    }

    private func work(
        on messages: [DecodedMessage],
        without failures: [FailedMessage],
        bound: BoundBatch,
        of batch: MessageBatch,
        _ topic: ConsumerTopic,
        _ log: EventLog?
    ) -> HandlerWork {
        HandlerWork(
            messages,
            without: failures,
            bound: bound,
            of: batch,
            topic: topic,
            log: log,
            errorHandler: errorHandler
        )
    }

    /// How far a batch has come.
    struct Progress: Sendable {
        /// The offset that is to be moved, with what the database says of it.
        var cursor: OffsetCursor
        /// The offsets of messages that have gone to the dead-letter topic already.
        var sent: Set<Int64> = []
        /// The offsets of messages whose failure has been told already.
        var told: Set<Int64> = []
        var waiting = WaitingMessages()
    }

    /// Applies messages, and halves them when the database refuses them together, so that only those that it refuses
    /// by themselves are parked.
    /// - Returns: The offset that is stored afterwards.
    /// - Throws: ``PositionLost``, `CancellationError` when the service is to stop, or an error that stops it.
    func process(_ batch: PartitionBatch, from cursor: OffsetCursor) async throws -> Int64? {
        var progress = Progress(cursor: cursor)
        try await process(batch, &progress)
        return progress.cursor.stored
    }

    private func process(_ batch: PartitionBatch, _ progress: inout Progress) async throws {
        do {
            try await applyOrPark(batch, &progress)
        } catch let changed as WaitingChanged {
            progress.waiting = changed.waiting
            try await process(batch, &progress)
        }
    }

    private func applyOrPark(_ batch: PartitionBatch, _ progress: inout Progress) async throws {
        do {
            try await apply(batch, &progress)
        } catch {
            guard let error = DionysusError(ofMessages: error) else { throw error }
            // The tables may have changed since they were looked up.
            catalogue.forget()
            if let (first, second) = batch.halves {
                try await process(first, &progress)
                try await process(second, &progress)
            } else {
                try await retryThenPark(batch, error, &progress)
            }
        }
    }

    private func retryThenPark(_ batch: PartitionBatch, _ error: DionysusError, _ progress: inout Progress) async throws
    {
        let topic = topics[batch.partition.topic]
        var error = error
        var attempts = 1
        while let delay = retryPolicies[topic].delay(after: FailedAttempt(batch, error, attempts)) {
            try await retry.pause(for: delay)
            do {
                return try await apply(batch, &progress)
            } catch let newError {
                guard let newError = DionysusError(ofMessages: newError) else { throw newError }
                error = newError
                attempts += 1
            }
        }
        let failures = batch.messages.map { message in
            FailedMessage(message: message, error: DionysusError(in: message, error), attempts: attempts)
        }
        let recorded = try await park(failures, by: topic.failurePolicy, &progress)
        _ = try await persist(BoundBatch(), HandlerWork(), recording: recorded, batch, &progress)
    }

    private func decode(
        _ messages: [ConsumedMessage],
        of topic: ConsumerTopic
    ) -> (messages: [DecodedMessage], failures: [FailedMessage]) {
        MessageDecoder(naming: naming, tombstonesDelete: topic.tombstonesDelete).decode(messages)
    }

    /// Turns payloads into values of columns, once more with a fresh look at the tables if something does not fit, because
    /// these may have changed since they were looked up.
    private func bind(
        _ messages: [DecodedMessage],
        of topic: ConsumerTopic
    ) async throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        let bound = try await bindOnce(messages, of: topic)
        guard bound.failures.contains(where: { $0.error.code == .typeMismatch }) else { return bound }
        catalogue.forget()
        return try await bindOnce(messages, of: topic)
    }

    private func bindOnce(
        _ messages: [DecodedMessage],
        of topic: ConsumerTopic
    ) async throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        let models = messages.modelNames
        let replicas = try await retry.run("looking up the replicas") {
            try await catalogue.replicas(of: models, in: topic.namespace)
        }
        return try Binder.bind(messages, replicas: replicas, imports: topic.imports)
    }

    /// Does with failed messages what the topic chose.
    /// - Returns: Those that are to be recorded in the database.
    private func park(
        _ failures: [FailedMessage],
        by policy: FailurePolicy,
        _ progress: inout Progress
    ) async throws -> [FailedMessage] {
        guard !failures.isEmpty else { return [] }
        let untold = Set(failures.map(\.message.offset)).subtracting(progress.told)
        let (recorded, sent) = try await parking.park(failures, by: policy, except: progress.sent, telling: untold)
        progress.sent.formUnion(sent)
        progress.told.formUnion(untold)
        return recorded
    }

    private func persist(
        _ bound: BoundBatch,
        _ handlers: HandlerWork,
        recording failures: [FailedMessage],
        _ batch: PartitionBatch,
        _ progress: inout Progress
    ) async throws -> PersistedBatch {
        let write = BatchWrite(
            batch: bound,
            handlers: handlers,
            failures: failures,
            earlier: EarlierFailures(
                group: persister.offsets.group,
                partition: batch.partition,
                messages: batch.messages,
                waiting: topics[batch.partition.topic].failurePolicy.holdsKeys ? progress.waiting : nil
            ),
            completion: .advance(progress.cursor, to: batch.next)
        )
        let persisted = try await retry.run("writing a batch of \(batch.partition)") {
            try await handlers.locked { try await persister.persist(write) }
        }
        progress.cursor.stored = batch.next
        return persisted
    }
}

/// Messages of one partition, in the order of their offsets.
struct PartitionBatch: Sendable {
    let partition: TopicPartition
    let messages: [ConsumedMessage]
    /// The offset that follows the last of them.
    let next: Int64

    /// - Returns: nil if there are no messages.
    init?(_ partition: TopicPartition, _ messages: some Collection<ConsumedMessage>) {
        guard let last = messages.map(\.offset).max() else { return nil }
        self.partition = partition
        self.messages = Array(messages)
        next = last + 1
    }

    /// The same for code of the application.
    var messageBatch: MessageBatch { MessageBatch(partition: partition, messages: messages) }

    /// The two halves; nil for a single message.
    var halves: (PartitionBatch, PartitionBatch)? {
        guard messages.count > 1, let first = PartitionBatch(partition, messages[..<(messages.count / 2)]),
            let second = PartitionBatch(partition, messages[(messages.count / 2)...])
        else { return nil }
        return (first, second)
    }
}

extension [FailedMessage] {
    /// The failures with the messages as they came from the broker, so that what is kept of them can be read once more.
    func asReceived(_ messages: [ConsumedMessage]) -> [FailedMessage] {
        guard !isEmpty else { return [] }
        let received = Dictionary(messages.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
        return map { failure in
            let message = received[failure.message.offset] ?? failure.message
            return FailedMessage(message: message, error: failure.error, attempts: failure.attempts)
        }
    }
}

extension [DecodedMessage] {
    /// Those that have not failed.
    func without(_ failures: [FailedMessage]) -> [DecodedMessage] {
        guard !failures.isEmpty else { return self }
        let failed = Set(failures.map(\.message.offset))
        return filter { !failed.contains($0.message.offset) }
    }

    /// The names of all models, also of those whose records came along in others.
    var modelNames: Set<String> {
        var names: Set<String> = []
        func collect(_ record: RecordPayload) {
            for sideload in record.sideloads {
                names.insert(sideload.model)
                sideload.records.forEach(collect)
            }
        }
        for message in self {
            for event in message.events {
                names.insert(event.model)
                event.records.forEach(collect)
            }
        }
        return names
    }
}
