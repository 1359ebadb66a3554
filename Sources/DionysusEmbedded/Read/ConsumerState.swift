import Dionysus

/// What a reader knows about itself: its partitions, where it reads them, and the events it has not returned yet.
struct ConsumerState: Sendable {
    private enum Phase: Sendable, Hashable {
        /// Waits for the answer to `assigned`.
        case assigned
        case reading(Int64)
        /// Waits for the answer to `revoked`.
        case revoked
    }

    private struct Partition: Sendable {
        let reference: PartitionReference
        var phase: Phase = .assigned
        var isPaused = false
        /// Its position is not in the log, and its reader knows.
        var isStranded = false
        /// Whether the event that says so has been returned.
        var isAnnounced = false
        var epoch: UInt64
    }

    /// The member of a group that it is; nil if its partitions were named.
    private(set) var member: GroupMember?
    private(set) var generation: Int64 = -1
    private(set) var isClosed = false
    private var partitions: [TopicPartition: Partition] = [:]
    private var events: [ConsumerEvent] = []
    private var nextEpoch: UInt64 = 0
    private var rotation = 0

    init(member: GroupMember) { self.member = member }

    /// Begins with partitions that were named.
    init(assigned partitions: [PartitionReference]) { apply(generation: -1, taken: partitions, wanted: []) }

    /// Takes the next event.
    mutating func takeEvent() -> ConsumerEvent? {
        guard !events.isEmpty else { return nil }
        let event = events.removeFirst()
        if case .assigned(let names) = event {
            for name in names { partitions[name]?.isAnnounced = true }
        }
        return event
    }

    /// Takes over what the group has decided.
    mutating func apply(generation: Int64, taken: [PartitionReference], wanted: [PartitionReference]) {
        self.generation = generation
        for reference in taken {
            partitions[reference.name] = Partition(reference: reference, epoch: drawEpoch())
        }
        if !taken.isEmpty { events.append(.assigned(taken.map(\.name).sorted())) }
        // What is owned in the log but not known here is just being given back.
        let revoked = wanted.map(\.name).filter { partitions[$0].map { $0.phase != .revoked } ?? false }
        for name in revoked { partitions[name]?.phase = .revoked }
        if !revoked.isEmpty { events.append(.revoked(revoked.sorted())) }
    }

    /// Begins again as another member, after the lease of the first has ended.
    mutating func rejoin(as member: GroupMember) {
        let lost = partitions.filter(\.value.isAnnounced).keys.sorted()
        partitions = [:]
        events = lost.isEmpty ? [] : [.lost(lost)]
        generation = -1
        self.member = member
    }

    mutating func forget(_ names: [TopicPartition]) {
        for name in names { partitions[name] = nil }
    }

    /// Moves partitions to positions.
    ///
    /// One that has been lost or is to be given back has none any more: the event that says so is on its way.
    mutating func move(to positions: [TopicPartition: Int64]) {
        for (name, position) in positions {
            guard var partition = partitions[name], partition.phase != .revoked else { continue }
            partition.phase = .reading(position)
            partition.isStranded = false
            partition.epoch = drawEpoch()
            partitions[name] = partition
            events.removeAll { event in
                if case .outOfRange(name, _) = event { true } else { false }
            }
        }
    }

    mutating func setPaused(_ isPaused: Bool, _ names: [TopicPartition]) {
        for name in names {
            let epoch = drawEpoch()
            partitions[name]?.isPaused = isPaused
            partitions[name]?.epoch = epoch
        }
    }

    /// What can be read now, beginning with another partition each time.
    mutating func makeRequests() -> [ReadRequest] {
        let requests = partitions.values
            .filter { !$0.isPaused && !$0.isStranded }
            .compactMap { partition in
                if case .reading(let position) = partition.phase {
                    ReadRequest(partition: partition.reference, position: position, epoch: partition.epoch)
                } else {
                    nil
                }
            }
            .sorted { $0.partition.id < $1.partition.id }
        guard !requests.isEmpty else { return [] }
        rotation += 1
        let start = rotation % requests.count
        return Array(requests[start...] + requests[..<start])
    }

    /// Takes what was read and moves on behind it, except where a partition has been moved, paused or lost meanwhile.
    /// - Returns: The messages, or if there are none, up to where there are none.
    mutating func accept(_ parts: [ReadPart]) -> (messages: [ConsumedMessage], ends: [TopicPartition: Int64]) {
        var accepted: [ConsumedMessage] = []
        var ends: [TopicPartition: Int64] = [:]
        for part in parts {
            let name = part.request.partition.name
            guard let partition = partitions[name], partition.epoch == part.request.epoch,
                case .reading = partition.phase
            else { continue }
            switch part.content {
            case .messages(let messages):
                guard let last = messages.last else { continue }
                partitions[name]?.phase = .reading(last.offset + 1)
                accepted += messages
            case .nothing(let end): ends[name] = end
            case .outOfRange(let range):
                partitions[name]?.isStranded = true
                events.append(.outOfRange(name, range))
            }
        }
        // What comes beside messages is reported when it is found again, after them.
        guard accepted.isEmpty else { return (accepted, [:]) }
        for (name, end) in ends { partitions[name]?.phase = .reading(end) }
        return ([], ends)
    }

    mutating func close() {
        isClosed = true
        partitions = [:]
        events = []
    }

    private mutating func drawEpoch() -> UInt64 {
        nextEpoch += 1
        return nextEpoch
    }
}
