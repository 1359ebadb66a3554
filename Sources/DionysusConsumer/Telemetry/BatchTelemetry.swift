import Dionysus
import Logging
import Tracing

/// What is reported of batches and of what follows them.
extension ConsumerTelemetry {
    /// Reports a batch from its beginning to its end, retries included.
    /// - Parameters:
    ///   - summary: What the progress says of the batch.
    ///   - failure: What of the work's result is an error.
    /// - Throws: What the work throws.
    func follow<Progress, Result>(
        _ batch: MessageBatch,
        _ progress: inout Progress,
        _ summary: KeyPath<Progress, BatchSummary>,
        _ work: (inout Progress) async throws -> Result,
        failing failure: (Result) -> (any Error)?
    ) async throws -> Result {
        let following = begin(batch)
        do {
            let result: Result
            if let span = following.span {
                result = try await ServiceContext.$current.withValue(span.context) { try await work(&progress) }
            } else {
                result = try await work(&progress)
            }
            end(following, progress[keyPath: summary], failure(result))
            return result
        } catch {
            end(following, progress[keyPath: summary], error)
            throw error
        }
    }

    /// Follows what is done about a committed batch, which may get stuck like the work on it.
    func follow(reactionsIn partition: TopicPartition, _ work: () async -> Void) async {
        let number = vitals.began(partition)
        await work()
        vitals.ended(number)
    }

    private struct Following {
        let batch: MessageBatch
        let number: Int
        let start: ContinuousClock.Instant
        let span: ProcessSpan?
    }

    private func begin(_ batch: MessageBatch) -> Following {
        metrics.took(batch.messages.count)
        monitor.emit(
            ReplicaConsumer.ProcessingBatch(partition: batch.partition, messages: batch.messages.count)
        )
        return Following(
            batch: batch,
            number: vitals.began(batch.partition),
            start: .now,
            span: tracer.map { ProcessSpan(batch, $0, system: system, settings: settings) }
        )
    }

    private func end(_ following: Following, _ summary: BatchSummary, _ error: (any Error)?) {
        let (batch, duration) = (following.batch, ContinuousClock.now - following.start)
        vitals.ended(following.number)
        metrics.processed(batch.partition, in: duration, error)
        // Shutting down is no error.
        following.span?.end(summary.firstFailure ?? (error is CancellationError ? nil : error))
        monitor.emit(
            ReplicaConsumer.ProcessedBatch(
                partition: batch.partition,
                messages: batch.messages.count,
                applied: summary.applied,
                failed: summary.failed.count,
                duration: duration,
                error: error
            )
        )
    }

    /// The database refused messages together or one of them alone, which are tried again, in halves or as they are.
    func retrying(_ batch: MessageBatch, _ error: DionysusError, attempt: Int) {
        vitals.tried()
        metrics.retried(batch.partition.topic)
        let (first, partition) = (batch.messages.first?.offset, batch.partition)
        guard batch.messages.count == 1 else {
            logger.debug("\(batch.messages.count) messages of \(partition) are tried again in halves: \(error)")
            return
        }
        tell(
            error,
            ErrorContext(
                "apply a message",
                topic: partition.topic,
                partition: partition.partition,
                offset: first,
                attempt: attempt
            )
        )
    }

    /// A message has failed, and its topic's choice is followed.
    func failed(_ failure: FailedMessage, _ policy: FailedMessagePolicy) {
        let source = failure.message.source
        let context = ErrorContext(
            "apply a message",
            topic: source.topic,
            partition: source.partition,
            offset: failure.message.offset,
            attempt: failure.attempts
        )
        metrics.failed(failure.error)
        metrics.parked(source.topic, policy.name)
        errorHandler.handle(failure.error, context)
        monitor.emit(
            ReplicaConsumer.MessageFailed(error: failure.error, context: context, policy: policy.name)
        )
    }

    /// The dead-letter topic has refused a message, which is recorded in the database instead.
    func refused(_ failure: FailedMessage, by topic: String) {
        let source = failure.message.source
        tell(
            failure.error,
            ErrorContext(
                "send a message to \(topic), which is recorded in the database instead",
                topic: source.topic,
                partition: source.partition,
                offset: failure.message.offset,
                attempt: failure.attempts
            )
        )
    }

    /// The messages of a batch and an offset have been committed.
    /// - Parameter isOneLane: Whether they are those of one lane among several.
    func committed(_ batch: MessageBatch, isOneLane: Bool) {
        vitals.databaseAnswered()
        metrics.consumed(batch.messages.count, from: batch.partition.topic)
        // The other lanes may not have come as far.
        guard !isOneLane else { return }
        lag.advance(batch.partition, to: batch.next, batch.messages.last?.timestamp)
    }

    /// All lanes of a partition have come up to an offset.
    func advanced(_ partition: TopicPartition, to offset: Int64) { lag.advance(partition, to: offset, nil) }

    /// Counts the events of a committed batch.
    func applied(_ tally: @autoclosure () -> EventTally, in topic: String) {
        guard metrics.isEnabled else { return }
        metrics.applied(tally(), in: topic)
    }

    // MARK: Reactions

    /// What the application does after a commit has failed; it is not done again.
    func reactionFailed(_ error: any Error, _ activity: String, _ source: TopicPartition, offset: Int64) {
        tell(
            error,
            ErrorContext(activity, topic: source.topic, partition: source.partition, offset: offset)
        )
    }
}

extension FailedMessagePolicy {
    /// The policy's name in metrics and monitor events.
    var name: String {
        switch self {
        case .record: "record"
        case .deadLetter: "dead_letter"
        case .skip: "skip"
        case .stop: "stop"
        }
    }
}
