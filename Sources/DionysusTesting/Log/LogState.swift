import Dionysus

/// The state of topics and groups: a value without I/O.
struct LogState: Sendable {
    struct Topic: Sendable {
        var partitions: [[ConsumedMessage]]
    }

    /// The number of partitions of a topic that is created by sending to it.
    static let partitions: Int32 = 4
    /// The maximum size of a value, in bytes.
    static let maximumSize = 1_000_000

    private(set) var topics: [String: Topic] = [:]
    /// All messages, in append order.
    private(set) var messages: [ConsumedMessage] = []
    var groups: [String: GroupState] = [:]
    /// The error for all requests while the log is unavailable; nil otherwise.
    var outage: DionysusError?
    /// The rule for refused messages.
    var refusal: (@Sendable (OutgoingMessage) -> DionysusError?)?
    /// The number of upcoming messages to refuse.
    var refused = 0

    // MARK: Topics

    mutating func create(_ topic: String, partitions: Int32) {
        guard topics[topic] == nil else { return }
        topics[topic] = Topic(partitions: Array(repeating: [], count: Int(max(1, partitions))))
        for name in groups.keys { groups[name]?.distribute(topics) }
    }

    func range(of partition: TopicPartition) -> OffsetRange? {
        messages(of: partition).map { OffsetRange(first: 0, next: Int64($0.count)) }
    }

    func messages(of partition: TopicPartition) -> [ConsumedMessage]? {
        guard let topic = topics[partition.topic], topic.partitions.indices.contains(Int(partition.partition)) else {
            return nil
        }
        return topic.partitions[Int(partition.partition)]
    }

    func offset(of partition: TopicPartition, at time: Timestamp) -> Int64? {
        messages(of: partition)
            .map { messages in Int64(messages.firstIndex { $0.timestamp >= time } ?? messages.count) }
    }

    func offset(of partition: TopicPartition, at position: StartPosition) throws -> Int64 {
        guard let range = range(of: partition) else {
            throw DionysusError(.unknownTopic, "the log has no partition \(partition)")
        }
        return switch position {
        case .earliest: range.first
        case .latest: range.next
        case .offset(let offset): offset
        case .time(let time): offset(of: partition, at: time) ?? range.next
        }
    }

    // MARK: Appending

    mutating func append(_ message: OutgoingMessage, _ partitioner: Partitioner) throws -> Acknowledgement {
        if let outage { throw outage }
        if refused > 0 {
            refused -= 1
            throw DionysusError(
                .brokerUnavailable,
                "the test made the in-memory broker refuse a message to \(message.topic)",
                isRetriable: true
            )
        }
        if let error = refusal?(message) { throw error }
        guard message.value?.count ?? 0 <= Self.maximumSize else {
            throw DionysusError(
                .messageRejected,
                "a message to \(message.topic) has more than \(Self.maximumSize) bytes"
            )
        }
        create(message.topic, partitions: Self.partitions)
        let count = Int32(topics[message.topic]?.partitions.count ?? 0)
        let partition =
            switch message.destination {
            case .partition(let partition): partition
            case .partitioned(let key): partitioner.partition(of: key, partitions: count)
            }
        guard (0..<count).contains(partition) else {
            throw DionysusError(.unknownTopic, "topic \(message.topic) has no partition \(partition)")
        }
        let source = TopicPartition(message.topic, partition)
        let offset = Int64(messages(of: source)?.count ?? 0)
        let appended = ConsumedMessage(
            source: source,
            offset: offset,
            key: message.key,
            value: message.value,
            headers: message.headers,
            timestamp: .now
        )
        topics[message.topic]?.partitions[Int(partition)].append(appended)
        messages.append(appended)
        return Acknowledgement(partition: partition, offset: offset)
    }
}
