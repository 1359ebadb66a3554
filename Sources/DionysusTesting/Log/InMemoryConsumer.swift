import Dionysus
import Synchronization

/// A group member that reads an in-memory log, or a reader of partitions that were named.
final class InMemoryConsumer: MessageConsumer {
    private struct Position {
        var next: Int64
        var isPaused = false
        /// Whether the out-of-range position has been reported.
        var isReported = false
    }

    private struct State {
        var positions: [TopicPartition: Position] = [:]
        /// The named partitions that have not been reported yet.
        var offered: [TopicPartition] = []
        var isClosed = false
    }

    private static let members = Atomic(0)

    private let log: InMemoryLog
    /// The group that it is a member of; nil if its partitions were named.
    private let group: String?
    private let metadata: String?
    private let id: Int
    private let state = Mutex(State())

    init(_ log: InMemoryLog, group: String, _ member: GroupState.Member, metadata: String?) {
        self.log = log
        self.group = group
        self.metadata = metadata
        let id = Self.members.add(1, ordering: .relaxed).newValue
        self.id = id
        log.change { state in
            let topics = state.topics
            state.groups[group, default: GroupState()].join(id, member, topics)
        }
    }

    /// Reads partitions without a group.
    init(_ log: InMemoryLog, partitions: [TopicPartition]) {
        self.log = log
        group = nil
        metadata = nil
        id = 0
        state.withLock { $0.offered = partitions }
    }

    var outage: DionysusError? { log.look { $0.outage } }

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let deadline = ContinuousClock.now + timeout
        while true {
            try Task.checkCancellation()
            let version = log.version
            if let event = try look(max(1, maxMessages), maxBytes) { return event }
            guard .now < deadline else { return nil }
            await log.wait(since: version, until: deadline)
        }
    }

    func start(_ positions: [TopicPartition: StartPosition]) async throws {
        try openState { _ in }
        let offsets = try log.look { log in
            let owned = positions.filter { partition, _ in
                group.map { log.groups[$0]?.owns(partition, id) == true } ?? true
            }
            return try owned.reduce(into: [:] as [TopicPartition: Int64]) { offsets, position in
                offsets[position.key] = try log.offset(of: position.key, at: position.value)
            }
        }
        try openState { state in
            for (partition, offset) in offsets { state.positions[partition] = Position(next: offset) }
        }
    }

    func release(_ partitions: [TopicPartition]) async throws {
        try openState { state in
            for partition in partitions { state.positions[partition] = nil }
        }
        guard let group else { return }
        log.change { $0.groups[group]?.release(partitions, of: id) }
    }

    func seek(_ partition: TopicPartition, to position: StartPosition) async throws {
        let offset = try log.look { try $0.offset(of: partition, at: position) }
        try openState { state in
            guard let position = state.positions[partition] else { return }
            state.positions[partition] = Position(next: offset, isPaused: position.isPaused)
        }
    }

    func pause(_ partitions: [TopicPartition]) async throws {
        try openState { state in
            for partition in partitions { state.positions[partition]?.isPaused = true }
        }
    }

    func resume(_ partitions: [TopicPartition]) async throws {
        try openState { state in
            for partition in partitions { state.positions[partition]?.isPaused = false }
        }
        // Waiters must check again.
        log.change { _ in }
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws {
        try openState { _ in }
        guard let group else { return }
        log.look { state in
            for (partition, offset) in offsets {
                state.groups[group]?.committed[partition] = CommittedPosition(offset: offset, metadata: metadata)
            }
        }
    }

    func close() async {
        let wasOpen = state.withLock { state in
            defer { state = State(isClosed: true) }
            return !state.isClosed
        }
        guard wasOpen else { return }
        log.change { state in
            guard let group else { return }
            let topics = state.topics
            state.groups[group]?.leave(id, topics)
        }
    }

    private func look(_ maxMessages: Int, _ maxBytes: Int) throws -> ConsumerEvent? {
        try openState { state in
            log.look { log -> ConsumerEvent? in
                guard log.outage == nil else { return nil }
                if !state.offered.isEmpty {
                    defer { state.offered = [] }
                    return .assigned(state.offered)
                }
                if let group, let event = log.groups[group]?.takeEvent(of: id) { return event }
                var found: [ConsumedMessage] = []
                var bytes = 0
                for (partition, position) in state.positions.sorted(by: { $0.key < $1.key }) where !position.isPaused {
                    guard let messages = log.messages(of: partition) else { continue }
                    guard (0...Int64(messages.count)).contains(position.next) else {
                        if position.isReported { continue }
                        state.positions[partition]?.isReported = true
                        return .outOfRange(partition, OffsetRange(first: 0, next: Int64(messages.count)))
                    }
                    for message in messages[Int(position.next)...].prefix(maxMessages - found.count)
                    where bytes < maxBytes {
                        found.append(message)
                        bytes += (message.key?.count ?? 0) + (message.value?.count ?? 0)
                        state.positions[partition]?.next += 1
                    }
                    if found.count == maxMessages || bytes >= maxBytes { break }
                }
                return found.isEmpty ? nil : .messages(found)
            }
        }
    }

    private func openState<T>(_ body: (inout sending State) throws -> sending T) throws -> sending T {
        try state.withLock { state in
            guard !state.isClosed else {
                throw DionysusError(.closed, "the in-memory consumer has been closed")
            }
            return try body(&state)
        }
    }
}
