import Dionysus

/// How a worker writes a batch, and waits for a replica that can't be written.
extension PartitionWorker {
    /// Applies a batch with what has been made of it ahead, and waits for its replica if that is necessary.
    /// - Parameter afterCommit: Where what follows the commit is done, which needs the batch's memory; nil to do it at once.
    func apply(
        _ batch: MessageBatch,
        _ cursor: OffsetCursor,
        _ memory: Memory,
        afterCommit: AfterCommit? = nil
    ) async throws -> AppliedBatch {
        let end: BatchEnd
        do {
            // What follows the commit ends the reservation by letting it go.
            defer { if afterCommit == nil { memory.memory?.release() } }
            end = try await slots.use {
                try await pipeline.applyOrPark(
                    batch,
                    from: cursor,
                    prepared: memory.prepared,
                    memory: memory.memory,
                    afterCommit: afterCommit
                )
            }
        }
        switch end {
        case .stored(let stored): return .stored(stored)
        case .positionLost: return .positionLost
        case .outage(let error, let cursor):
            await afterCommit?.finish()
            memory.memory?.release()
            return try await apply(batch, from: cursor, after: error)
        }
    }

    /// Waits until the replica can be written, and holds neither a slot nor memory meanwhile, so that other partitions go
    /// on.
    private func apply(
        _ batch: MessageBatch,
        from start: OffsetCursor,
        after outage: DionysusError
    ) async throws -> AppliedBatch {
        ahead.giveUp()
        await noteStanding(1)
        let end: Result<AppliedBatch, any Error>
        do {
            end = .success(try await applyOnceWritable(batch, from: start, after: outage))
        } catch {
            end = .failure(error)
        }
        await noteStanding(-1)
        return try end.get()
    }

    private func applyOnceWritable(
        _ batch: MessageBatch,
        from start: OffsetCursor,
        after outage: DionysusError
    ) async throws -> AppliedBatch {
        var (error, cursor) = (outage, start)
        var failures = 0
        var trouble: Trouble?
        defer { pipeline.telemetry.recovered(from: trouble) }
        while !queue.isClosed {
            failures += 1
            pipeline.catalogue.forget()
            pipeline.telemetry.failed(error.waitedFor, to: "write a batch", partition, attempt: failures, &trouble)
            try await pipeline.retry.pause(afterFailures: failures)
            guard let rest = batch.following(cursor.stored) else { return .stored(cursor.stored) }
            let end: BatchEnd
            do {
                let memory = try await ahead.reserve(rest.messages.workingSize)
                defer { memory.release() }
                end = try await slots.use { [cursor] in try await pipeline.applyOrPark(rest, from: cursor) }
            }
            switch end {
            case .stored(let stored):
                pipeline.telemetry.written(partition, after: error)
                return .stored(stored)
            case .positionLost: return .positionLost
            case .outage(let newError, let newCursor): (error, cursor) = (newError, newCursor)
            }
        }
        return .stored(cursor.stored)
    }

    /// Notes that one batch more or less stands still, and reads on: while the work stands still nothing is read, and with
    /// an empty queue nothing else asks for more afterwards.
    private func noteStanding(_ change: Int) async {
        let standsStill = stillness.withLock { stillness in
            stillness.standing += change
            return stillness.standing >= stillness.of
        }
        readAhead.note(standsStill: standsStill, place)
        await readAhead.readOn(member)
    }
}
