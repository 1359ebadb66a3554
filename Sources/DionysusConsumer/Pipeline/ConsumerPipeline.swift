import Dionysus

/// The way of a partition's messages from the broker to the replica.
struct ConsumerPipeline: Sendable {
    let topics: TopicPlan
    let naming: Naming
    let clock: ReplicaClock
    let catalogue: ReplicaCatalogue
    let skippedModels: SkippedModels
    let persister: Persister
    let parking: Parking
    let reactor: Reactor
    let retry: RetryLoop
    let retryPolicies: RetryPolicies
    let group: String
    let telemetry: ConsumerTelemetry

    /// Applies the next messages of a partition.
    ///
    /// This is the consumer.
    func apply(_ batch: PartitionBatch, _ progress: inout BatchProgress) async throws {
        let topic = topics[batch.partition.topic]
        let waiting = progress.waiting
        let middleware = middleware(of: topic)
        try await middleware.handle(batch.messageBatch) {
            let received = try await middleware.receive(batch.messages.filter { !waiting.contains($0) })
            let prepared =
                if let ahead = progress.take(received) { ahead } else { try await prepare(received, of: topic) }
            let failures = prepared.failures.asReceived(batch.messages)
            if topic.failurePolicy.holdsKeys { try waiting.compare(with: failures, in: batch) }
            let parked = try await park(failures, by: topic.failurePolicy, &progress)
            let recorded = parked + waiting.failures(in: batch)
            let work = work(
                on: prepared.accepted,
                without: failures.filter { !$0.isPartial },
                prepared.bound,
                batch.messageBatch,
                log(of: topic)
            )
            let persisted = try await persist(prepared.bound, work, recording: recorded, batch, &progress)
            telemetry.applied(EventTally(prepared, applied: persisted.applied.count), in: batch.partition.topic)
            for event in prepared.skipped { telemetry.errorHandler.handle(event) }
            await reactor.react(to: persisted.applied)
        }
    }

    /// Reads messages and turns them into values of columns; nothing is written.
    func prepare(_ messages: [ConsumedMessage], of topic: ConsumerTopic) async throws -> PreparedMessages {
        let decoded = try await decode(messages, of: topic)
        let accepted = try topic.filters.accept(decoded.messages)
        let transformed = try topic.transform(accepted.messages)
        let bound = try await bind(transformed, of: topic)
        return PreparedMessages(
            decoded: decoded.messages,
            accepted: accepted.messages,
            skipped: accepted.skipped,
            transformed: transformed,
            bound: bound.batch,
            failures: decoded.failures + bound.failures,
            count: messages.count
        )
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
            let decoded = try await decode(received, of: topic)
            if let failure = decoded.failures.first { throw failure.error }
            try await apply(decoded.messages, of: batch, log(of: topic), completing: completion)
        }
    }

    /// Applies messages that have been decoded, as they are.
    /// - Returns: Whether filters have left anything of them.
    /// - Throws: Why they can't be applied; nothing has been changed then.
    @discardableResult
    func apply(
        _ messages: [DecodedMessage],
        of batch: MessageBatch,
        _ log: EventLog?,
        completing completion: Completion
    ) async throws -> Bool {
        let topic = topics[batch.partition.topic]
        let (accepted, skipped) = try topic.filters.accept(messages)
        let bound = try await bind(try topic.transform(accepted), of: topic)
        if let failure = bound.failures.first { throw failure.error }
        let work = work(on: accepted, without: [], bound.batch, batch, log)
        let write = BatchWrite(batch: bound.batch, handlers: work, completion: completion)
        let persisted = try await work.locked { try await persister.persist(write) }
        for event in skipped { telemetry.errorHandler.handle(event) }
        await reactor.react(to: persisted.applied)
        return skipped.isEmpty || accepted.contains { !$0.incomingEvents.isEmpty }
    }
}
