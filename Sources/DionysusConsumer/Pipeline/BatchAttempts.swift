import Dionysus

/// The progress of a batch.
struct BatchProgress: Sendable {
    /// The offset that is to be moved, with what the database says of it.
    var cursor: OffsetCursor
    /// The offsets of messages that have gone to the dead-letter topic already.
    var sent: Set<Int64> = []
    /// The messages that wait behind others.
    var waiting = WaitingMessages()
    var summary = BatchSummary()
    /// How often a message that is applied by itself has been tried before.
    var retries = 0
    /// What has been made of the batch ahead of its turn.
    private var prepared: PreparedMessages?
    /// The memory that the batch takes until it has been dealt with.
    let memory: MemoryBudget.Reservation?
    /// Where what follows its commit is done; nil if that is done at once.
    let afterCommit: AfterCommit?

    init(
        cursor: OffsetCursor,
        prepared: PreparedMessages? = nil,
        memory: MemoryBudget.Reservation? = nil,
        afterCommit: AfterCommit? = nil
    ) {
        self.cursor = cursor
        self.prepared = prepared
        self.memory = memory
        self.afterCommit = afterCommit
    }

    /// The progress of a message that is applied on its own, and not on its way through its partition.
    init(of message: ConsumedMessage) { self.init(cursor: OffsetCursor(message.source, stored: nil)) }

    /// Whether something has been made of the batch ahead of its turn.
    var isPrepared: Bool { prepared != nil }

    /// What has been made of messages ahead of their turn, if it is good for them: all of them, and none that failed.
    mutating func take(_ messages: [ConsumedMessage]) -> PreparedMessages? {
        defer { prepared = nil }
        return prepared.flatMap { $0.count == messages.count && $0.failures.isEmpty ? $0 : nil }
    }
}

/// How the work on a batch ends.
enum BatchEnd: Sendable {
    /// Every message has been applied or parked, and this offset is stored.
    case stored(Int64?)
    /// Another member has moved the offset, so that the rest is no longer this one's to apply.
    case positionLost
    /// The replica of a model that the batch touches can't be read or written, whatever the messages say: recording each
    /// of them as failed would only move all of them. A part of the batch may have been written, as the cursor says.
    case outage(DionysusError, OffsetCursor)
}

/// What happens to a batch that can't be applied at once.
extension ConsumerPipeline {
    /// Applies messages, and halves them when the database refuses them together, so that only those that it refuses
    /// by themselves are parked.
    /// - Parameters:
    ///   - cursor: The offset that is to be moved.
    ///   - prepared: What has been made of the messages ahead of their turn, if anything.
    ///   - memory: The memory that the batch takes.
    ///   - afterCommit: Where what follows a commit is done; nil to do it at once.
    /// - Throws: `CancellationError` when the service is to stop, or an error that stops it.
    func applyOrPark(
        _ batch: MessageBatch,
        from cursor: OffsetCursor,
        prepared: PreparedMessages? = nil,
        memory: MemoryBudget.Reservation? = nil,
        afterCommit: AfterCommit? = nil
    ) async throws -> BatchEnd {
        var progress = BatchProgress(cursor: cursor, prepared: prepared, memory: memory, afterCommit: afterCommit)
        do {
            let refusal = try await telemetry.follow(batch, &progress, \.summary) { progress in
                try await divide(batch, &progress)
            } failing: {
                $0?.error
            }
            return refusal == nil ? .stored(progress.cursor.stored) : .positionLost
        } catch let error as DionysusError where error.code == .replicaUnavailable {
            return .outage(error, progress.cursor)
        }
    }

    /// Reads messages ahead of their turn, where nothing of the application wraps that.
    func prepareAhead(_ batch: MessageBatch) async -> PreparedMessages? {
        let topic = topics[batch.partition.topic]
        guard topic.middleware.isEmpty, topic.comparedTopic == nil else { return nil }
        // What fails is tried again, and reported, when it is the batch's turn.
        return (try? await prepare(batch.messages, of: topic)).map(assuming)
    }

    /// Applies messages, in parts if they don't go through together.
    /// - Returns: Why they are not this member's to apply; nil if all have been applied or parked.
    private func divide(_ batch: MessageBatch, _ progress: inout BatchProgress) async throws -> Refusal? {
        let wasPrepared = progress.isPrepared
        let verdict: Verdict<Applied>
        do {
            verdict = try await apply(Delivery(reading: batch, from: progress.cursor), &progress)
        } catch {
            guard let error = DionysusError(ofMessages: error) else { throw error }
            try stop(at: error, batch)
            // The tables may have changed since they were looked up.
            catalogue.forget()
            if wasPrepared, [.statement, .typeMismatch].contains(error.code) {
                // So they may have between the preparation and the write, which says nothing about the messages.
                return try await divide(batch, &progress)
            }
            guard let (first, second) = batch.halves else { return try await retryThenPark(batch, error, &progress) }
            telemetry.retrying(batch, error, attempt: 1)
            if let refusal = try await divide(first, &progress) { return refusal }
            return try await divide(second, &progress)
        }
        return try await followed(verdict, batch, &progress)
    }

    /// Begins anew with the messages that really wait, if others did than was assumed.
    private func followed<T>(
        _ verdict: Verdict<T>,
        _ batch: MessageBatch,
        _ progress: inout BatchProgress
    ) async throws -> Refusal? {
        switch verdict {
        case .done: return nil
        case .refused(.otherMessagesWait(let waiting)):
            progress.waiting = waiting
            return try await divide(batch, &progress)
        case .refused(let refusal): return refusal
        }
    }

    /// Throws an error at which the topic stops the consumer.
    private func stop(at error: DionysusError, _ batch: MessageBatch) throws {
        guard let isFatal = topics[batch.partition.topic].isFatal else { return }
        guard isFatal(error.underlying ?? error, batch.messages) else { return }
        throw DionysusError(
            .application,
            "\(batch.partition), before offset \(batch.next): the declaration calls an error fatal: \(error.message)",
            advice: error.advice,
            underlying: error.underlying
        )
    }

    private func retryThenPark(
        _ batch: MessageBatch,
        _ error: DionysusError,
        _ progress: inout BatchProgress
    ) async throws -> Refusal? {
        let topic = topics[batch.partition.topic]
        let policy = topic.retryPolicy(settings)
        defer { progress.retries = 0 }
        var error = error
        var attempts = 1
        while let delay = policy.delay(after: FailedAttempt(batch, error, attempts)) {
            telemetry.retrying(batch, error, attempt: attempts)
            try await retry.pause(for: delay)
            progress.retries = attempts
            let verdict: Verdict<Applied>
            do {
                verdict = try await apply(Delivery(reading: batch, from: progress.cursor), &progress)
            } catch let newError {
                guard let newError = DionysusError(ofMessages: newError) else { throw newError }
                try stop(at: newError, batch)
                error = newError
                attempts += 1
                continue
            }
            return try await followed(verdict, batch, &progress)
        }
        let failures = batch.messages.map { message in
            FailedMessage(message: message, error: DionysusError(in: message, error), attempts: attempts)
        }
        let delivery = Delivery(reading: batch, from: progress.cursor)
        let parked = try await park(failures, of: topic, in: delivery, &progress)
        let write = write(BoundBatch(), HandlerWork(), recording: parked, of: topic, in: delivery, progress)
        let verdict = try await persist(write, as: delivery)
        if case .done(let applied) = verdict { note(applied, of: batch, &progress) }
        return try await followed(verdict, batch, &progress)
    }
}
