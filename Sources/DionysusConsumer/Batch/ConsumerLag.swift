public import Dionysus

/// How far a partition's replica is behind the log.
public struct PartitionLag: Sendable, Hashable {
    /// The partition.
    public let partition: TopicPartition
    /// The offset that the next message will get.
    public let endOffset: Int64
    /// The offset that is applied next.
    public let position: Int64

    /// How long the position has stood still while there were messages behind it; nil if it was never moved.
    public let age: Duration?

    /// How many messages are still to be applied.
    public var lag: Int64 { max(endOffset - position, 0) }
}

/// Compares the stored offsets of a group with the log.
public struct ConsumerLag: Sendable {
    private let database: any Database
    private let broker: any MessageBroker
    private let topics: TopicPlan
    private let offsets: OffsetStore

    /// Creates the comparison.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - database: The replica's database.
    ///   - broker: The broker.
    ///   - settings: The settings, which name the group.
    public init(
        _ consumer: some Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings
    ) {
        self.database = database
        self.broker = broker
        topics = TopicPlan(consumer, settings: settings)
        offsets = OffsetStore(group: settings.effectiveGroupID)
    }

    /// The lag of every partition of every declared topic, whoever owns it.
    ///
    /// Topics that don't exist have no partitions.
    /// - Throws: What the database and the broker throw.
    public func partitions() async throws -> [PartitionLag] {
        let names = topics.names
        let existing = try await broker.describeTopics(names)
        let partitions = existing.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
        guard !partitions.isEmpty else { return [] }
        let ranges = try await broker.offsets(of: partitions)
        let (stored, moved) = try await database.transaction(.snapshot) { [offsets] transaction in
            (try offsets.load(names, in: &transaction), try offsets.lastMoves(in: &transaction))
        }
        let now = Timestamp.now
        return partitions.sorted()
            .compactMap { partition in
                guard let range = ranges[partition] else { return nil }
                let start = topics[partition.topic].start.offset(in: range)
                let position = max(stored[partition]?.next ?? start, range.first)
                let age = moved[partition].map { Duration.microseconds(max(now.microseconds - $0.microseconds, 0)) }
                return PartitionLag(
                    partition: partition,
                    endOffset: range.next,
                    position: position,
                    age: position >= range.next ? .zero : age
                )
            }
    }
}

extension StartPosition {
    fileprivate func offset(in range: OffsetRange) -> Int64 {
        switch self {
        case .earliest: range.first
        case .latest: range.next
        case .offset(let offset): offset
        }
    }
}
