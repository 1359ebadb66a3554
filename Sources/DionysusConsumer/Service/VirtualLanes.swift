import Dionysus
import Synchronization

/// Works on the messages of a partition by several lanes at once.
///
/// A lane takes the messages of some keys, in their order. Each has an offset of its own in the database, below which its
/// messages are finished; a batch of a lane moves it in the transaction of the data. The partition's own offset follows
/// up to where all lanes are finished.
final class VirtualLanes: Sendable {
    private let partition: TopicPartition
    private let ledger: Mutex<LaneLedger>
    private let queues: [MessageQueue]
    private let batchSize: Int
    /// Applies a batch that begins at the lane's stored offset; returns the offset that is stored then.
    private let process: @Sendable (PartitionBatch, OffsetCursor) async throws -> Int64?
    /// Moves the partition's own offset.
    private let flush: @Sendable (_ from: Int64, _ to: Int64, _ mark: LogMark?) async throws -> Void

    /// - Parameters:
    ///   - partition: The partition.
    ///   - position: What the database says.
    ///   - batchSize: How many messages a batch has at most.
    ///   - makeQueue: Makes the queue of one of so many lanes.
    ///   - process: See there.
    ///   - flush: See there.
    init(
        _ partition: TopicPartition,
        at position: StoredPosition,
        batchSize: Int,
        makeQueue: (_ lanes: Int) -> MessageQueue,
        process: @escaping @Sendable (PartitionBatch, OffsetCursor) async throws -> Int64?,
        flush: @escaping @Sendable (_ from: Int64, _ to: Int64, _ mark: LogMark?) async throws -> Void
    ) {
        self.partition = partition
        self.batchSize = batchSize
        self.process = process
        self.flush = flush
        ledger = Mutex(LaneLedger(position))
        queues = position.laneOffsets.map { _ in makeQueue(position.laneOffsets.count) }
    }

    /// Whether all messages that were handed out are finished, and the partition's offset says so.
    var isIdle: Bool { ledger.withLock { $0.isIdle && $0.flushed == $0.prefix } }

    /// Hands out the messages of a queue until it is closed, or until a message stands at or behind an offset.
    /// - Parameters:
    ///   - queue: The partition's messages; what is not handed out is put back.
    ///   - end: The offset to stop at; nil for none.
    /// - Returns: What the database says in the end.
    func run(_ queue: MessageQueue, until end: Int64? = nil) async throws -> StoredPosition {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in queues.indices { group.addTask { try await self.work(on: lane) } }
            group.addTask { try await self.handOut(queue, until: end) }
            for try await _ in group {}
        }
        try await flushWhatIsDue()
        return ledger.withLock { $0.position }
    }

    private func handOut(_ queue: MessageQueue, until end: Int64?) async throws {
        while let taken = await queue.take(atMost: batchSize) {
            let own = end.map { end in taken.messages.prefix { $0.offset < end } } ?? taken.messages[...]
            let rest = QueuedMessages(messages: Array(taken.messages[own.endIndex...]), end: taken.end)
            let shares = ledger.withLock { ledger in
                ledger.note(QueuedMessages(messages: Array(own.suffix(1)), end: rest.messages.isEmpty ? rest.end : nil))
                return own.reduce(into: [Int: [ConsumedMessage]]()) { shares, message in
                    let lane = ledger.lane(of: message)
                    if ledger.admit(message, to: lane) { shares[lane, default: []].append(message) }
                }
            }
            for (lane, share) in shares {
                await queues[lane].room()
                queues[lane].append(share)
            }
            try await flushWhatIsDue()
            if !rest.messages.isEmpty {
                queue.putBack(rest)
                break
            }
        }
        // What has been handed out is finished when the partition ends at an offset, and dropped when it is given back.
        if end != nil { await drain() }
        queues.forEach { $0.close() }
    }

    private func drain() async {
        for queue in queues { await queue.drained() }
    }

    private func work(on lane: Int) async throws {
        // Nobody waits for a lane that has failed.
        defer { queues[lane].close() }
        while let taken = await queues[lane].take(atMost: batchSize) {
            guard let batch = PartitionBatch(partition, taken.messages) else { continue }
            let cursor = OffsetCursor(partition, lane: lane, stored: ledger.withLock { $0.stored(of: lane) })
            if let next = try await process(batch, cursor) { ledger.withLock { $0.finish(lane, below: next) } }
            try await flushWhatIsDue()
        }
    }

    private func flushWhatIsDue() async throws {
        while let (from, to, mark) = ledger.withLock({ $0.beginFlush() }) {
            try await flush(from, to, mark)
            ledger.withLock { $0.endFlush(at: to) }
        }
    }
}
