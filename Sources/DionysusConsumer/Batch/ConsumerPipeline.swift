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
    let logger: Logger

    /// Applies the next messages of a partition.
    ///
    /// This is the consumer.
    private func apply(_ batch: PartitionBatch, _ progress: inout Progress) async throws {
        let topic = topics[batch.partition.topic]
        let (waiting, messages) = (progress.waiting, batch.messages.filter { !progress.waiting.contains($0) })
        let decoded = MessageDecoder(naming: naming, tombstonesDelete: topic.tombstonesDelete).decode(messages)
        let accepted = filter(decoded.messages, by: topic.filters)
        let bound = try await bind(try topic.transform(accepted), of: topic)
        let handlers = HandlerWork(accepted.without(bound.failures), topic.handlers)
        let failures = decoded.failures + bound.failures
        if topic.failurePolicy.holdsKeys { try waiting.compare(with: failures, in: batch) }
        let parked = try await park(failures, by: topic.failurePolicy, &progress)
        let recorded = parked + waiting.failures(in: batch)
        let persisted = try await persist(bound.batch, handlers, recording: recorded, batch, &progress)
        await reactor.react(to: persisted.applied)
    }

    /// Applies a message once more that was kept from an earlier delivery, on its own.
    /// - Parameters:
    ///   - message: The message, with the topic, partition and offset it had.
    ///   - completion: What keeps it from being applied yet again.
    /// - Throws: Why it can't be applied; nothing has been changed then.
    func replay(_ message: ConsumedMessage, completing completion: Completion) async throws {
        let topic = topics[message.source.topic]
        let decoded = MessageDecoder(naming: naming, tombstonesDelete: topic.tombstonesDelete).decode([message])
        let accepted = filter(decoded.messages, by: topic.filters)
        let bound = try await bind(try topic.transform(accepted), of: topic)
        if let failure = (decoded.failures + bound.failures).first { throw failure.error }
        let handlers = HandlerWork(accepted, topic.handlers)
        let write = BatchWrite(batch: bound.batch, handlers: handlers, completion: completion)
        let persisted = try await persister.persist(write)
        await reactor.react(to: persisted.applied)
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

    private func filter(_ messages: [DecodedMessage], by filters: [MessageFilter]) -> [DecodedMessage] {
        let (accepted, skipped) = filters.accept(messages)
        if skipped > 0 { logger.info("\(skipped) events were skipped by filters") }
        return accepted
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
            try await persister.persist(write)
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

    /// The two halves; nil for a single message.
    var halves: (PartitionBatch, PartitionBatch)? {
        guard messages.count > 1, let first = PartitionBatch(partition, messages[..<(messages.count / 2)]),
            let second = PartitionBatch(partition, messages[(messages.count / 2)...])
        else { return nil }
        return (first, second)
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
