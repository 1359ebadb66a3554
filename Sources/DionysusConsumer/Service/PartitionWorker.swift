import Dionysus
import Synchronization

/// Applies the messages of one partition until the partition is given back.
///
/// It works on a task of its own, so that a slow partition holds up neither the others nor the membership.
final class PartitionWorker: Sendable {
    /// What a worker needs, the same for all.
    struct Context: Sendable {
        let member: any MessageConsumer
        let pipeline: ConsumerPipeline
        let database: any Database
        let offsets: OffsetStore
        let slots: BatchSlots
        let readAhead: ReadAhead
        let settings: ConsumerSettings
        /// Takes note of workers that have ended by themselves.
        let reports: WorkerReports

        /// Goes on with partitions that were left unread because enough waited.
        func readOn() async {
            let free = readAhead.letGo()
            // A member that can't read on says so by its next event.
            if !free.isEmpty { try? await member.resume(free) }
        }
    }

    let partition: TopicPartition
    let queue: MessageQueue
    /// What the database said when the worker began.
    let start: StoredPosition?
    private let context: Context
    private let lanes = Mutex<VirtualLanes?>(nil)
    /// Whether a batch is under way while the next one is waited for.
    private let isWriting = Mutex(false)
    /// Offsets that the broker is still to be told; a later one takes an earlier one's place.
    private let finished = AsyncStream.makeStream(of: Int64.self, bufferingPolicy: .bufferingNewest(1))
    private let ahead: PreparationAhead
    /// Where its messages are counted.
    let place: ReadAhead.Place
    /// How many batches stand still because the replica can't be written, and how many are worked on at once.
    private let stillness = Mutex((standing: 0, of: 1))

    init(_ partition: TopicPartition, from start: StoredPosition?, _ context: Context) {
        self.partition = partition
        self.start = start
        self.context = context
        ahead = PreparationAhead(context.settings.memoryBudget)
        let place = context.readAhead.begin(partition)
        self.place = place
        queue = Self.makeQueue(2 * context.settings.batchSize, context.readAhead.largestShare, context) {
            context.readAhead.add(messages: $0, bytes: $1, to: place)
        }
    }

    private static func makeQueue(
        _ limit: Int,
        _ bytes: Int,
        _ context: Context,
        onChange: @escaping @Sendable (_ messages: Int, _ bytes: Int) -> Void
    ) -> MessageQueue {
        MessageQueue(
            limit: limit,
            byteLimit: bytes,
            batchLimit: context.settings.batchBytes,
            onChange: onChange,
            onTaken: { await context.readOn() }
        )
    }

    /// Whether there is nothing to be done, and the partition's offset says so.
    var isIdle: Bool { queue.isIdle && !isWriting.withLock(\.self) && lanes.withLock { $0?.isIdle ?? true } }

    /// Works until the queue is closed, or reports why it can't.
    func run() async {
        async let telling: Void = tellFinished()
        do {
            try await work()
        } catch {
            queue.close()
            context.reports.add(WorkerReport(partition: partition, error: error))
        }
        // The partition isn't given back before: its next owner may have got further.
        finished.continuation.finish()
        await telling
    }

    private func work() async throws {
        let lanes = context.pipeline.topics[partition.topic].lanes
        guard lanes > 1 || (start?.lanes ?? 1) > 1 else { return try await applyInOrder(from: start?.next) }

        guard let first = await queue.take(atMost: 1), let offset = first.first else { return }
        queue.putBack(first)
        var position = start ?? StoredPosition(next: offset)
        if position.lanes != lanes, position.end > position.next {
            position = try await apply(from: position, until: position.end)
            if queue.isClosed { return }
        }
        if position.lanes != lanes || start == nil {
            let next = StoredPosition(next: position.next, lanes: lanes)
            try await restart(from: start == nil ? nil : position, at: next)
            position = next
        }
        if lanes > 1 { _ = try await apply(from: position) } else { try await applyInOrder(from: position.next) }
    }

    /// Applies batch after batch, and reads the next one while one is written.
    private func applyInOrder(from stored: Int64?) async throws {
        var cursor = OffsetCursor(partition, stored: stored)
        var next = await nextBatch()
        while next != nil, !queue.isClosed {
            isWriting.withLock { $0 = true }
            var memory: Memory? = try await memory(for: next)
            async let following = nextBatch()
            // The next one may be long in coming, and what was made of this one must not stay until then.
            if let batch = next.take(), let memory = memory.take() { try await apply(batch, memory, from: &cursor) }
            if let offset = cursor.stored { tell(offset) }
            isWriting.withLock { $0 = false }
            next = await following
        }
    }

    /// What a batch takes, and what has been made of it ahead.
    private typealias Memory = (prepared: PreparedMessages?, memory: MemoryBudget.Reservation?)

    /// Waits for the memory that a batch takes, if it doesn't have it yet.
    private func memory(for next: NextBatch?) async throws -> Memory {
        guard let next, next.batch != nil else { return (nil, nil) }
        var memory: Memory = next.preparation?.take() ?? (nil, nil)
        if memory.memory == nil { memory.memory = try await ahead.reserve(next.workingSize) }
        ahead.allow()
        return memory
    }

    private func apply(_ next: NextBatch, _ memory: Memory, from cursor: inout OffsetCursor) async throws {
        if let batch = next.batch {
            cursor.stored = try await process(batch, cursor, memory)
            // A batch that was given up half-way is no place to go on from.
            guard cursor.stored == batch.next else { return }
        }
        guard let end = next.end, end > cursor.stored ?? 0 else { return }
        try await moveOn(cursor, to: end)
        cursor.stored = end
    }

    /// Moves the offset past what is no message.
    private func moveOn(_ cursor: OffsetCursor, to end: Int64) async throws {
        try await context.pipeline.retry.run("move the offset", for: partition) {
            try await context.database.transaction(.write) { [offsets = context.offsets] transaction in
                var opening = Opening()
                offsets.advance(cursor, to: end, mark: nil, transaction.dialect, in: &opening)
                _ = try opening.run(in: &transaction)
            }
        }
        context.pipeline.telemetry.advanced(partition, to: end)
    }

    private struct NextBatch {
        /// Nil if there is nothing but an end.
        let batch: PartitionBatch?
        /// Up to where there are no messages behind the batch; nil if that isn't known.
        let end: Int64?
        /// About how much memory it takes while it is worked on.
        var workingSize = 0
        /// What is made of it ahead of its turn, if there is memory for that.
        var preparation: Preparation?
    }

    /// Waits for messages, and prepares them if there is memory for that.
    private func nextBatch() async -> NextBatch? {
        guard let taken = await queue.take(atMost: context.settings.batchSize) else { return nil }
        guard let batch = PartitionBatch(partition, taken.messages) else {
            return NextBatch(batch: nil, end: taken.end)
        }
        let preparation = ahead.begin(taken.workingSize)
        if let preparation { preparation.keep(await context.pipeline.prepareAhead(batch)) }
        return NextBatch(
            batch: batch,
            end: taken.end,
            workingSize: taken.workingSize,
            preparation: preparation
        )
    }

    /// Applies batches of several lanes at once.
    private func apply(from position: StoredPosition, until end: Int64? = nil) async throws -> StoredPosition {
        let lanes = VirtualLanes(partition, at: position, batchSize: context.settings.batchSize) { lanes in
            // How many messages the lanes may hold is their own affair, and how many bytes that of all.
            Self.makeQueue(
                self.context.settings.batchSize,
                max(1, self.context.readAhead.largestShare / lanes),
                self.context
            ) { _, bytes in
                self.context.readAhead.add(messages: 0, bytes: bytes, to: self.place)
            }
        } process: { batch, cursor in
            let memory = try await self.context.settings.memoryBudget.reserve(batch.messages.workingSize)
            return try await self.process(batch, cursor, (nil, memory))
        } flush: { from, to, mark in
            try await self.context.pipeline.retry.run("move the offset", for: self.partition) {
                try await self.context.database.transaction(.write) {
                    try self.context.offsets.follow(
                        self.partition,
                        from: from,
                        to: to,
                        lanes: position.lanes,
                        mark: mark,
                        in: &$0
                    )
                }
            }
            self.context.pipeline.telemetry.advanced(self.partition, to: to)
            self.tell(to)
        }
        stillness.withLock { $0.of = position.lanes }
        self.lanes.withLock { $0 = lanes }
        defer {
            self.lanes.withLock { $0 = nil }
            stillness.withLock { $0.of = 1 }
        }
        return try await lanes.run(queue, until: end)
    }

    private func process(
        _ batch: PartitionBatch,
        _ cursor: OffsetCursor,
        _ memory: Memory
    ) async throws -> Int64? {
        do {
            defer { memory.memory?.release() }
            return try await context.slots.use {
                try await context.pipeline.process(batch, from: cursor, prepared: memory.prepared)
            }
        } catch let outage as ReplicaOutage {
            return try await process(batch, after: outage)
        }
    }

    /// Waits until the replica can be written, and holds neither a slot nor memory meanwhile, so that other partitions go
    /// on.
    private func process(_ batch: PartitionBatch, after outage: ReplicaOutage) async throws -> Int64? {
        let pipeline = context.pipeline
        noteStanding(1)
        defer { noteStanding(-1) }
        ahead.giveUp()
        await context.readOn()
        var outage = outage
        var failures = 0
        var trouble: ConsumerVitals.Trouble?
        defer { pipeline.telemetry.recovered(from: trouble) }
        while !queue.isClosed {
            failures += 1
            pipeline.catalogue.forget()
            let error = outage.error.waitedFor
            pipeline.telemetry.failed(error, to: "write a batch", partition, attempt: failures, &trouble)
            try await pipeline.retry.pause(afterFailures: failures)
            guard let rest = batch.following(outage.cursor) else { return outage.cursor.stored }
            do {
                let memory = try await ahead.reserve(rest.messages.workingSize)
                defer { memory.release() }
                let stored = try await context.slots.use { [outage] in
                    try await pipeline.process(rest, from: outage.cursor)
                }
                pipeline.telemetry.written(partition, after: outage.error)
                return stored
            } catch let another as ReplicaOutage {
                outage = another
            }
        }
        return outage.cursor.stored
    }

    private func noteStanding(_ change: Int) {
        let standsStill = stillness.withLock { stillness in
            stillness.standing += change
            return stillness.standing >= stillness.of
        }
        context.readAhead.note(standsStill: standsStill, place)
    }

    private func restart(from stored: StoredPosition?, at position: StoredPosition) async throws {
        try await context.pipeline.retry.run("set up the lanes", for: partition) {
            try await context.database.transaction(.write) { [context, partition] in
                try context.offsets.restart(partition, from: stored, at: position, in: &$0)
            }
        }
    }

    /// Has the broker told, for tools that show lag.
    ///
    /// The position that counts is the stored one, so no batch waits until the broker has taken note.
    private func tell(_ offset: Int64) { finished.continuation.yield(offset) }

    private func tellFinished() async {
        for await offset in finished.stream {
            do {
                try await context.member.commit([partition: offset])
            } catch {
                context.pipeline.telemetry.failed(error, to: "tell the broker the group's offset", partition)
            }
        }
    }
}

/// Why a worker has ended by itself.
struct WorkerReport: Sendable {
    let partition: TopicPartition
    /// ``PositionLost``, `CancellationError`, or what stops the consumer.
    let error: any Error
}

/// The workers that have ended by themselves, for the session to deal with.
final class WorkerReports: Sendable {
    private let reports = Mutex<[WorkerReport]>([])

    func add(_ report: WorkerReport) { reports.withLock { $0.append(report) } }

    /// The reports that nobody has taken yet.
    func take() -> [WorkerReport] {
        reports.withLock { reports in
            defer { reports = [] }
            return reports
        }
    }
}

extension StoredPosition {
    /// A position with nothing finished above it.
    init(next: Int64, lanes: Int) {
        self.init(next: next, laneOffsets: lanes > 1 ? Array(repeating: next, count: lanes) : [])
    }
}
