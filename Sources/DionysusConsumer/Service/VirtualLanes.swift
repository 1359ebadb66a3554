import Dionysus
import Synchronization

/// Works on the messages of a partition by several lanes at once.
///
/// A lane takes the messages of some keys, in their order. Each has its offset in the database, below which its
/// messages are finished; a batch of a lane moves it in the transaction of the data. The partition's own offset follows
/// up to where all lanes are finished.
final class VirtualLanes: Sendable {
    private let partition: TopicPartition
    private let ledger: Mutex<LaneLedger>
    private let queues: [MessageQueue]
    private let batchSize: Int
    /// Applies a batch that begins at the lane's stored offset.
    private let apply: @Sendable (MessageBatch, OffsetCursor, MessageQueue) async throws -> AppliedBatch
    /// Moves the partition's own offset, unless another member has moved it.
    private let flush: @Sendable (_ from: Int64, _ to: Int64, _ mark: LogMark?) async throws -> Bool

    /// - Parameters:
    ///   - position: What the database says.
    ///   - batchSize: How many messages a batch has at most.
    ///   - makeQueue: Makes the queue of a lane.
    ///   - apply: Applies a batch that begins at its lane's stored offset, and tells its queue when it has its memory.
    ///   - flush: Moves the partition's own offset, and returns whether it was still where it is to be moved from.
    init(
        _ partition: TopicPartition,
        at position: StoredPosition,
        batchSize: Int,
        makeQueue: () -> MessageQueue,
        apply: @escaping @Sendable (MessageBatch, OffsetCursor, MessageQueue) async throws -> AppliedBatch,
        flush: @escaping @Sendable (_ from: Int64, _ to: Int64, _ mark: LogMark?) async throws -> Bool
    ) {
        self.partition = partition
        self.batchSize = batchSize
        self.apply = apply
        self.flush = flush
        ledger = Mutex(LaneLedger(position))
        queues = position.laneOffsets.map { _ in makeQueue() }
    }

    /// Whether all messages that were handed out are finished, and the partition's offset says so.
    var isIdle: Bool { ledger.withLock { $0.isIdle && $0.flushed == $0.prefix } }

    /// Hands out the messages of a queue until it is closed, or until a message stands at or behind an offset.
    /// - Parameters:
    ///   - queue: The partition's messages; what is not handed out is put back.
    ///   - end: The offset to stop at; nil for none.
    /// - Returns: What the database says in the end; nil if another member has moved one of the offsets.
    func run(_ queue: MessageQueue, until end: Int64? = nil) async throws -> StoredPosition? {
        let isOurs = try await withThrowingTaskGroup(of: Bool.self) { group in
            for lane in queues.indices { group.addTask { try await self.work(on: lane) } }
            group.addTask { try await self.handOut(queue, until: end) }
            var isOurs = true
            while let result = await group.nextResult() {
                // The first lane that ends so cancels the others, and what they say then doesn't matter.
                guard isOurs else { continue }
                isOurs = try result.get()
                if !isOurs { group.cancelAll() }
            }
            return isOurs
        }
        guard isOurs, try await flushWhatIsDue() else { return nil }
        return ledger.withLock { $0.position }
    }

    /// - Returns: Whether the partition's offset is still where this member has moved it.
    private func handOut(_ queue: MessageQueue, until end: Int64?) async throws -> Bool {
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
            guard try await flushWhatIsDue() else { return false }
            if !rest.messages.isEmpty {
                queue.putBack(rest)
                break
            }
        }
        // What has been handed out is finished when the partition ends at an offset, and dropped when it is given back.
        if end != nil { await drain() }
        queues.forEach { $0.close() }
        return true
    }

    private func drain() async {
        for queue in queues { await queue.drained() }
    }

    /// - Returns: Whether the lane's offset, and the partition's, are still where this member has moved them.
    private func work(on lane: Int) async throws -> Bool {
        // No message waits for a lane that has failed.
        defer { queues[lane].close() }
        while let taken = await queues[lane].take(atMost: batchSize, forGood: false) {
            guard let batch = MessageBatch(partition, taken.messages) else { continue }
            let cursor = OffsetCursor(partition, lane: lane, stored: ledger.withLock { $0.stored(of: lane) })
            switch try await apply(batch, cursor, queues[lane]) {
            case .stored(let next?): ledger.withLock { $0.finish(lane, below: next) }
            case .stored(nil): break
            case .positionLost: return false
            }
            guard try await flushWhatIsDue() else { return false }
        }
        return true
    }

    /// - Returns: Whether the partition's offset was still where it is to be moved from.
    private func flushWhatIsDue() async throws -> Bool {
        while let (from, to, mark) = ledger.withLock({ $0.beginFlush() }) {
            guard try await flush(from, to, mark) else { return false }
            ledger.withLock { $0.endFlush(at: to) }
        }
        return true
    }
}
