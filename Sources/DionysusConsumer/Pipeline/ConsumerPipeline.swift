import Dionysus

/// The way of messages from the broker to the replica.
struct ConsumerPipeline: Sendable {
    let topics: ConsumedTopics
    let naming: Naming
    let clock: ReplicaClock
    let recordReaders: RecordReaders
    let catalogue: ReplicaCatalogue
    let skippedModels: SkippedModels
    let persister: Persister
    let parking: Parking
    let reactor: Reactor
    let retry: RetryLoop
    let settings: ConsumerSettings
    let telemetry: ConsumerTelemetry

    /// Applies messages: this is the consumer.
    ///
    /// What a consumer reads, a failure that is retried and an event that is handled once more all go this way.
    /// - Returns: What was applied, or why nothing has been changed.
    /// - Throws: Why the messages can't be applied; nothing has been changed then.
    func apply(_ delivery: Delivery, _ progress: inout BatchProgress) async throws -> Verdict<Applied> {
        let topic = topics[delivery.topic]
        return try await middleware(of: topic)
            .around(delivery.batch) { middleware in
                let received = try await receive(delivery, through: middleware, without: progress.waiting)
                if topic.comparedTopic != nil { return try await compare(received, of: topic, delivery, &progress) }
                let prepared =
                    if let ahead = progress.take(received) { ahead } else {
                        assuming(
                            try await prepare(
                                received,
                                of: topic,
                                number: delivery.number,
                                areEdited: delivery.isEdited
                            )
                        )
                    }
                let failures = prepared.failures.asReceived(delivery.batch.messages)
                if let waiting = corrected(progress.waiting, by: failures, of: topic, in: delivery) {
                    return .refused(.otherMessagesWait(waiting))
                }
                let parked = try await park(failures, of: topic, in: delivery, &progress)
                let write = write(prepared, without: failures, recording: parked, of: topic, in: delivery, progress)
                let applied: AppliedEvents
                switch try await persist(write, as: delivery) {
                case .done(let events): applied = events
                case .refused(let refusal): return .refused(refusal)
                }
                note(prepared, applied, delivery, &progress)
                if let notes = write.handlers.notes { report(notes, retries: progress.retries) }
                let outcome = Applied(count: applied.count, isLeftOut: prepared.isLeftOut)
                await react(to: applied, of: prepared, middleware, progress)
                return .done(outcome)
            }
    }

    /// Reads messages and turns them into values of columns; nothing is written.
    /// - Parameters:
    ///   - number: The number of their one record in the message that it came in, if they are not that message.
    ///   - areEdited: Whether a person has written their values anew.
    func prepare(
        _ messages: [ConsumedMessage],
        of topic: ConsumerTopic,
        number: Int? = nil,
        areEdited: Bool = false
    ) async throws -> PreparedMessages {
        let decoded = try await decode(messages, of: topic, number: number, areEdited: areEdited)
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
}
