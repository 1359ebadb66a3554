import Dionysus
import Synchronization

/// Applies the messages of one partition until the partition is given back.
///
/// It runs in its own task, so that a slow partition holds up neither the others nor the membership.
final class PartitionWorker: Sendable {
    let partition: TopicPartition
    let queue: MessageQueue
    /// What the database said when the worker began.
    let start: StoredPosition?
    let member: any MessageConsumer
    let pipeline: ConsumerPipeline
    let slots: BatchSlots
    let readAhead: ReadAhead
    private let reports: WorkerReports
    private let lanes = Mutex<VirtualLanes?>(nil)
    /// Whether a batch is being written while the next one is waited for.
    private let isWriting = Mutex(false)
    /// Offsets to tell the broker; a later one replaces an earlier one.
    private let finished = AsyncStream.makeStream(of: Int64.self, bufferingPolicy: .bufferingNewest(1))
    let ahead: PreparationAhead
    private let afterCommit = AfterCommit()
    /// Where its messages are counted.
    let place: ReadAhead.Place
    /// How many batches stand still because the replica can't be written, and how many are worked on at once.
    let stillness = Mutex((standing: 0, of: 1))

    /// - Parameters:
    ///   - start: What the database says of the partition.
    ///   - reports: Takes note if the worker ends by itself.
    init(
        _ partition: TopicPartition,
        from start: StoredPosition?,
        member: any MessageConsumer,
        pipeline: ConsumerPipeline,
        slots: BatchSlots,
        readAhead: ReadAhead,
        reports: WorkerReports
    ) {
        self.partition = partition
        self.start = start
        self.member = member
        self.pipeline = pipeline
        self.slots = slots
        self.readAhead = readAhead
        self.reports = reports
        let settings = pipeline.settings
        ahead = PreparationAhead(settings.memoryBudget)
        let place = readAhead.begin(partition)
        self.place = place
        queue = MessageQueue(
            limit: 2 * settings.batchSize,
            byteLimit: readAhead.largestShare,
            batchLimit: settings.batchBytes
        ) {
            readAhead.add(messages: $0, bytes: $1, to: place)
        } onTaken: {
            await readAhead.readOn(member)
        }
    }

    private var database: any Database { pipeline.persister.database }

    private var offsets: OffsetStore { pipeline.persister.offsets }

    private var batchSize: Int { pipeline.settings.batchSize }

    /// Whether there is nothing left to do, and the partition's offset says so.
    var isIdle: Bool {
        queue.isIdle && !isWriting.withLock(\.self) && afterCommit.isIdle && lanes.withLock { $0?.isIdle ?? true }
    }

    /// Works until the queue is closed, or reports why it can't.
    func run() async {
        async let telling: Void = tellFinished()
        do {
            if case .positionLost = try await work() { end(.positionLost) }
        } catch {
            end(.failed(error))
        }
        await afterCommit.finish()
        // The partition isn't given back before: its next owner may have got further.
        finished.continuation.finish()
        await telling
    }

    private func end(_ reason: WorkerReport.Reason) {
        queue.close()
        reports.add(WorkerReport(partition: partition, reason: reason))
    }

    private func work() async throws -> WorkEnd {
        let lanes = pipeline.topics[partition.topic].lanes
        guard lanes > 1 || (start?.lanes ?? 1) > 1 else { return try await applyInOrder(from: start?.next) }

        guard let first = await queue.take(atMost: 1), let offset = first.first else { return .closed }
        queue.putBack(first)
        var position = start ?? StoredPosition(next: offset)
        if position.lanes != lanes, position.end > position.next {
            guard let reached = try await applyInLanes(from: position, until: position.end) else {
                return .positionLost
            }
            position = reached
            if queue.isClosed { return .closed }
        }
        if position.lanes != lanes || start == nil {
            let next = StoredPosition(next: position.next, lanes: lanes)
            guard try await restart(from: start == nil ? nil : position, at: next) else { return .positionLost }
            position = next
        }
        guard lanes > 1 else { return try await applyInOrder(from: position.next) }
        return try await applyInLanes(from: position) == nil ? .positionLost : .closed
    }

    /// Applies batch after batch, and reads the next one while one is written.
    private func applyInOrder(from stored: Int64?) async throws -> WorkEnd {
        var cursor = OffsetCursor(partition, stored: stored)
        var next = await nextBatch()
        while next != nil, !queue.isClosed {
            isWriting.withLock { $0 = true }
            let isAlone = goesAlone(next)
            var memory: Memory? = try await memory(for: next)
            async let following = nextBatch()
            // The next one may be long in coming, and what was made of this one must not stay until then.
            if let batch = next.take(), let memory = memory.take() {
                guard try await apply(batch, memory, from: &cursor) else {
                    queue.close()
                    return .positionLost
                }
            }
            if isAlone { await queue.began() }
            if let offset = cursor.stored { tell(offset) }
            isWriting.withLock { $0 = false }
            next = await following
        }
        return .closed
    }

    /// What a batch takes, and what has been made of it ahead.
    typealias Memory = (prepared: PreparedMessages?, memory: MemoryBudget.Reservation?)

    /// Whether a batch takes more than the whole budget: its messages count as waiting until it is written, so that no
    /// others are read meanwhile.
    private func goesAlone(_ batch: NextBatch?) -> Bool {
        pipeline.settings.memoryBudget.isExceeded(by: batch?.workingSize ?? 0)
    }

    /// Waits for the memory that a batch takes, if it doesn't have it yet.
    private func memory(for next: NextBatch?) async throws -> Memory {
        guard let next, next.batch != nil else { return (nil, nil) }
        var memory: Memory = next.preparation?.take() ?? (nil, nil)
        if memory.memory == nil { memory.memory = try await ahead.reserve(next.workingSize) }
        ahead.allow()
        if !goesAlone(next) { await queue.began() }
        return memory
    }

    /// - Returns: Whether the offset is still where this member has moved it.
    private func apply(_ next: NextBatch, _ memory: Memory, from cursor: inout OffsetCursor) async throws -> Bool {
        if let batch = next.batch {
            switch try await apply(batch, cursor, memory, afterCommit: afterCommit) {
            case .stored(let stored): cursor.stored = stored
            case .positionLost: return false
            }
            // A batch that was given up half-way is no place to go on from.
            guard cursor.stored == batch.next else { return true }
        }
        guard let end = next.end, end > cursor.stored ?? 0 else { return true }
        guard try await moveOn(cursor, to: end) else { return false }
        cursor.stored = end
        return true
    }

    /// Moves the offset past what is no message.
    /// - Returns: Whether it was still where this member has moved it.
    private func moveOn(_ cursor: OffsetCursor, to end: Int64) async throws -> Bool {
        let isMoved = try await pipeline.retry.run("move the offset", for: partition) {
            try await database.write { [offsets] transaction in
                var preamble = Preamble()
                offsets.advance(cursor, to: end, mark: nil, transaction.dialect, in: &preamble)
                if case .refused = try preamble.run(in: &transaction) { return .rollBack(false) }
                return .commit(true)
            }
        }
        if isMoved { pipeline.telemetry.advanced(partition, to: end) }
        return isMoved
    }

    private struct NextBatch {
        /// Nil if there is nothing but an end.
        let batch: MessageBatch?
        /// Up to where there are no messages behind the batch; nil if that isn't known.
        let end: Int64?
        /// About how much memory it takes while it is worked on.
        var workingSize = 0
        /// What is made of it ahead of its turn, if there is memory for that.
        var preparation: Preparation?
    }

    /// Waits for messages, and prepares them if there is memory for that.
    private func nextBatch() async -> NextBatch? {
        guard let taken = await queue.take(atMost: batchSize, forGood: false) else { return nil }
        guard let batch = MessageBatch(partition, taken.messages) else {
            return NextBatch(batch: nil, end: taken.end)
        }
        let preparation = ahead.begin(taken.workingSize)
        if let preparation {
            if !pipeline.settings.memoryBudget.isExceeded(by: taken.workingSize) { await queue.began() }
            preparation.keep(await pipeline.prepareAhead(batch))
        }
        return NextBatch(
            batch: batch,
            end: taken.end,
            workingSize: taken.workingSize,
            preparation: preparation
        )
    }

    /// Applies batches of several lanes at once.
    /// - Returns: What the database says in the end; nil if another member has moved the offsets.
    private func applyInLanes(
        from position: StoredPosition,
        until end: Int64? = nil
    ) async throws -> StoredPosition? {
        let (readAhead, place, member) = (readAhead, place, member)
        let byteLimit = max(1, readAhead.largestShare / position.lanes)
        let lanes = VirtualLanes(partition, at: position, batchSize: batchSize) { [settings = pipeline.settings] in
            // The queue of each lane bounds its messages, and all of them together their bytes.
            MessageQueue(limit: settings.batchSize, byteLimit: byteLimit, batchLimit: settings.batchBytes) { _, bytes in
                readAhead.add(messages: 0, bytes: bytes, to: place)
            } onTaken: {
                await readAhead.readOn(member)
            }
        } apply: { batch, cursor, queue in
            let (budget, size) = (self.pipeline.settings.memoryBudget, batch.messages.workingSize)
            let memory = try await budget.reserve(size)
            if !budget.isExceeded(by: size) { await queue.began() }
            let applied = try await self.apply(batch, cursor, (nil, memory))
            if budget.isExceeded(by: size) { await queue.began() }
            return applied
        } flush: { from, to, mark in
            let isMoved = try await self.pipeline.retry.run("move the offset", for: self.partition) {
                try await self.database.transaction(.write) {
                    try self.offsets.follow(
                        self.partition,
                        from: from,
                        to: to,
                        lanes: position.lanes,
                        mark: mark,
                        in: &$0
                    )
                }
            }
            guard isMoved else { return false }
            self.pipeline.telemetry.advanced(self.partition, to: to)
            self.tell(to)
            return true
        }
        stillness.withLock { $0.of = position.lanes }
        self.lanes.withLock { $0 = lanes }
        defer {
            self.lanes.withLock { $0 = nil }
            stillness.withLock { $0.of = 1 }
        }
        return try await lanes.run(queue, until: end)
    }

    /// - Returns: Whether the offset was still where this member has moved it.
    private func restart(from stored: StoredPosition?, at position: StoredPosition) async throws -> Bool {
        try await pipeline.retry.run("set up the lanes", for: partition) {
            try await database.write { [offsets, partition] in
                try offsets.restart(partition, from: stored, at: position, in: &$0) ? .commit(true) : .rollBack(false)
            }
        }
    }

    /// Tells the broker, for tools that show lag.
    ///
    /// The position that counts is the stored one, so no batch waits until the broker has taken note.
    private func tell(_ offset: Int64) { finished.continuation.yield(offset) }

    private func tellFinished() async {
        for await offset in finished.stream {
            do {
                try await member.commit([partition: offset])
            } catch {
                pipeline.telemetry.failed(error, to: "tell the broker the group's offset", partition)
            }
        }
    }
}

/// How the work on a partition ends.
private enum WorkEnd {
    /// The partition is given back.
    case closed
    /// Another member has moved the partition's offset.
    case positionLost
}
