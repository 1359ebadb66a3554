import Dionysus

/// How far a batch has come.
struct BatchProgress: Sendable {
    /// The offset that is to be moved, with what the database says of it.
    var cursor: OffsetCursor
    /// The offsets of messages that have gone to the dead-letter topic already.
    var sent: Set<Int64> = []
    /// The messages that wait behind others.
    var waiting = WaitingMessages()
    /// How many events had a say.
    var applied = 0
    /// The offsets of messages that have failed.
    var failed: Set<Int64> = []
    /// What was wrong with the first of them.
    var firstFailure: DionysusError?

    /// What has been made of the batch ahead of its turn.
    private var prepared: PreparedMessages?

    init(cursor: OffsetCursor, prepared: PreparedMessages? = nil) {
        self.cursor = cursor
        self.prepared = prepared
    }

    /// Whether something has been made of the batch ahead of its turn.
    var isPrepared: Bool { prepared != nil }

    /// What has been made of messages ahead of their turn, if it is good for them: all of them, and none that failed.
    mutating func take(_ messages: [ConsumedMessage]) -> PreparedMessages? {
        defer { prepared = nil }
        return prepared.flatMap { $0.count == messages.count && $0.failures.isEmpty ? $0 : nil }
    }
}

/// What happens to a batch that does not go through at once.
extension ConsumerPipeline {
    /// Applies messages, and halves them when the database refuses them together, so that only those that it refuses
    /// by themselves are parked.
    /// - Parameters:
    ///   - batch: The messages.
    ///   - cursor: The offset that is to be moved.
    ///   - prepared: What has been made of the messages ahead of their turn, if anything.
    /// - Returns: The offset that is stored afterwards.
    /// - Throws: ``PositionLost``, ``ReplicaOutage``, `CancellationError` when the service is to stop, or an error that
    ///   stops it.
    func process(
        _ batch: PartitionBatch,
        from cursor: OffsetCursor,
        prepared: PreparedMessages? = nil
    ) async throws -> Int64? {
        var progress = BatchProgress(cursor: cursor, prepared: prepared)
        do {
            try await telemetry.follow(batch, &progress) { try await process(batch, &$0) }
        } catch let error as DionysusError where error.code == .replicaUnavailable {
            throw ReplicaOutage(cursor: progress.cursor, error: error)
        }
        return progress.cursor.stored
    }

    /// Reads messages ahead of their turn, where nothing of the application wraps that.
    func prepareAhead(_ batch: PartitionBatch) async -> PreparedMessages? {
        let topic = topics[batch.partition.topic]
        guard topic.middleware.isEmpty else { return nil }
        // What fails is tried again, and told, when it is the batch's turn.
        return try? await prepare(batch.messages, of: topic)
    }

    private func process(_ batch: PartitionBatch, _ progress: inout BatchProgress) async throws {
        do {
            try await applyOrPark(batch, &progress)
        } catch let changed as WaitingChanged {
            progress.waiting = changed.waiting
            try await process(batch, &progress)
        }
    }

    private func applyOrPark(_ batch: PartitionBatch, _ progress: inout BatchProgress) async throws {
        let wasPrepared = progress.isPrepared
        do {
            try await apply(batch, &progress)
        } catch {
            guard let error = DionysusError(ofMessages: error) else { throw error }
            // The tables may have changed since they were looked up.
            catalogue.forget()
            if wasPrepared, [.statement, .typeMismatch].contains(error.code) {
                // So they may have between the preparation and the write, which says nothing about the messages.
                try await process(batch, &progress)
            } else if let (first, second) = batch.halves {
                telemetry.retrying(batch, error, attempt: 1)
                try await process(first, &progress)
                try await process(second, &progress)
            } else {
                try await retryThenPark(batch, error, &progress)
            }
        }
    }

    private func retryThenPark(
        _ batch: PartitionBatch,
        _ error: DionysusError,
        _ progress: inout BatchProgress
    ) async throws {
        let topic = topics[batch.partition.topic]
        var error = error
        var attempts = 1
        while let delay = retryPolicies[topic].delay(after: FailedAttempt(batch, error, attempts)) {
            telemetry.retrying(batch, error, attempt: attempts)
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
}
