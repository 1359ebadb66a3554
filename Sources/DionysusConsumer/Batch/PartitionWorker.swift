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
        /// What all workers may hold of messages that nobody works on yet: as they came, and read ahead.
        let budgets: (queued: WeightBudget, prepared: WeightBudget)
        let settings: ConsumerSettings
        /// Takes note of workers that have ended by themselves.
        let reports: WorkerReports
    }

    let partition: TopicPartition
    let queue: MessageQueue
    /// What the database said when the worker began.
    let start: StoredPosition?
    private let context: Context
    private let lanes = Mutex<VirtualLanes?>(nil)
    /// Whether a batch is under way while the next one is waited for.
    private let isWriting = Mutex(false)
    /// What is to be done next about batches that have been written; a later one takes an earlier one's place.
    private let finished = AsyncStream.makeStream(of: Finished.self, bufferingPolicy: .bufferingNewest(1))

    init(_ partition: TopicPartition, from start: StoredPosition?, _ context: Context) {
        self.partition = partition
        self.start = start
        self.context = context
        // A member that can't read on says so by its next event.
        queue = MessageQueue(limit: 2 * context.settings.batchSize, budget: context.budgets.queued) {
            try? await context.member.resume([partition])
        }
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
        while let batch = next.take(), !queue.isClosed {
            isWriting.withLock { $0 = true }
            async let following = nextBatch()
            try await apply(batch, from: &cursor)
            if let offset = cursor.stored { tell(offset, freeing: consume batch) }
            isWriting.withLock { $0 = false }
            next = await following
        }
    }

    private func apply(_ next: NextBatch, from cursor: inout OffsetCursor) async throws {
        if let batch = next.batch {
            cursor.stored = try await process(batch, cursor, next.prepared)
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
        let prepared: PreparedMessages?
        /// What keeps others from preparing too much, as long as the batch is there.
        let weight: WeightBudget.Share?
    }

    /// Waits for messages, and prepares them if all workers together don't hold too much already.
    private func nextBatch() async -> NextBatch? {
        guard let taken = await queue.take(atMost: context.settings.batchSize) else { return nil }
        guard let batch = PartitionBatch(partition, taken.messages) else {
            return NextBatch(batch: nil, end: taken.end, prepared: nil, weight: nil)
        }
        let weight = context.budgets.prepared.share(of: taken.messages.decodedSize)
        let prepared = weight == nil ? nil : await context.pipeline.prepareAhead(batch)
        return NextBatch(batch: batch, end: taken.end, prepared: prepared, weight: weight)
    }

    /// Applies batches of several lanes at once.
    private func apply(from position: StoredPosition, until end: Int64? = nil) async throws -> StoredPosition {
        let lanes = VirtualLanes(partition, at: position, batchSize: context.settings.batchSize) { batch, cursor in
            try await self.process(batch, cursor)
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
        self.lanes.withLock { $0 = lanes }
        defer { self.lanes.withLock { $0 = nil } }
        return try await lanes.run(queue, until: end)
    }

    private func process(
        _ batch: PartitionBatch,
        _ cursor: OffsetCursor,
        _ prepared: PreparedMessages? = nil
    ) async throws -> Int64? {
        do {
            return try await context.slots.use {
                try await context.pipeline.process(batch, from: cursor, prepared: prepared)
            }
        } catch let outage as ReplicaOutage {
            return try await process(batch, after: outage)
        }
    }

    /// Waits until the replica can be written, and holds no slot meanwhile, so that other partitions go on.
    private func process(_ batch: PartitionBatch, after outage: ReplicaOutage) async throws -> Int64? {
        let pipeline = context.pipeline
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

    private func restart(from stored: StoredPosition?, at position: StoredPosition) async throws {
        try await context.pipeline.retry.run("set up the lanes", for: partition) {
            try await context.database.transaction(.write) { [context, partition] in
                try context.offsets.restart(partition, from: stored, at: position, in: &$0)
            }
        }
    }

    private struct Finished {
        let offset: Int64
        /// Freeing all that a batch holds takes a while, which the next one isn't kept waiting for.
        var batch: NextBatch?
    }

    /// Has the broker told, for tools that show lag.
    ///
    /// The position that counts is the stored one, so no batch waits until the broker has taken note.
    private func tell(_ offset: Int64, freeing batch: consuming NextBatch? = nil) {
        finished.continuation.yield(Finished(offset: offset, batch: batch))
    }

    private func tellFinished() async {
        for await var finished in finished.stream {
            finished.batch = nil
            do {
                try await context.member.commit([partition: finished.offset])
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
