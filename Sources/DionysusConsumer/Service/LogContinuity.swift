import Dionysus

/// What a session does when a log is not the one that was read before, or no longer holds what comes next.
extension GroupSession {
    /// Compares the log with what is stored of it, and drops the messages that this takes.
    /// - Returns: Whether messages are left.
    mutating func compare(
        _ messages: inout ArraySlice<ConsumedMessage>,
        _ partition: TopicPartition
    ) async throws -> Bool {
        guard var check = checks[partition] else { return true }
        guard check.agrees(with: messages) else {
            let found =
                "the log of \(partition) was created anew: its message at offset \(check.mark.offset) is another "
                + "one than the replica has applied"
            try await lose(partition, .loss(found)) { [broker = starts.broker] in
                try await broker.offsets(of: [partition])[partition]?.first ?? 0
            }
            return false
        }
        messages = messages.drop { $0.offset < check.next }
        checks[partition] = messages.isEmpty ? check : nil
        return !messages.isEmpty
    }

    /// Messages were missed: ends the consumer and remembers why, or goes on where the log begins.
    mutating func lose(
        _ partition: TopicPartition,
        _ error: DionysusError,
        first: () async throws -> Int64
    ) async throws {
        // What was to be compared may expire; nothing of the replica is missed with it.
        let isCompared = pipeline.topics[partition.topic].comparedTopic != nil
        guard settings.onOutOfRange == .earliest || isCompared else {
            try await pipeline.retry.run("remember what was lost", for: partition) { [database, losses] in
                try await database.transaction(.write) { try losses.record(error, of: partition, in: &$0) }
            }
            throw error
        }
        telemetry.failed(error, to: "go on at the stored offset", partition)
        await end([partition])
        let first = try await pipeline.retry.run("find the beginning of the log", for: partition, first)
        try await goOn(partition, at: first)
    }

    mutating func reposition(_ partition: TopicPartition, _ range: OffsetRange) async throws {
        guard let worker = workers[partition] else { return }
        let stored = try await load([partition])[partition]
        if let stored, let check = checks[partition], check.mark.offset < range.first, stored.next >= range.first,
            stored.next <= range.next
        {
            // The message that was applied last is no longer kept, but those behind it are.
            await end([partition])
            return try await restart(partition, from: stored, at: start(at: stored))
        }
        let hasBegun = (stored ?? worker.start) != nil || worker.queue.hasHadMessages
        if !hasBegun || stored.map({ (range.first...range.next).contains($0.next) }) == true {
            // A broker that has just become the leader may not know at once how far its log goes, and a log of which nothing
            // has been read begins where it begins.
            let position = hasBegun ? "offset \(stored.description)" : "the start"
            logger.warning("the broker did not know \(position) of \(partition), but has it: asking again")
            await end([partition])
            // The batch that was being written may have moved the offset.
            let now = try await load([partition])[partition]
            return try await restart(partition, from: now, at: start(at: now))
        }
        let found =
            "the log of \(partition) holds the offsets from \(range.first) up to \(range.next), not "
            + (stored ?? worker.start).description
        try await lose(partition, .loss(found)) { range.first }
    }

    /// Moves the stored offset to where the log begins, and goes on there.
    private mutating func goOn(_ partition: TopicPartition, at first: Int64) async throws {
        guard let stored = try await load([partition])[partition] else {
            return try await restart(partition, from: nil, at: .offset(first))
        }
        let moved = StoredPosition(next: first, lanes: stored.lanes)
        let offsets = pipeline.persister.offsets
        let isMoved = try await pipeline.retry.run("move the offset", for: partition) {
            try await database.write {
                try offsets.restart(partition, from: stored, at: moved, isElsewhere: true, in: &$0)
                    ? .commit(true) : .rollBack(false)
            }
        }
        guard !isMoved else { return try await restart(partition, from: moved, at: .offset(first)) }
        // Another member has moved it meanwhile.
        let other = try await load([partition])[partition]
        try await restart(partition, from: other, at: start(at: other))
    }
}

extension StoredPosition? {
    var description: String { map { String($0.next) } ?? "the start" }
}
