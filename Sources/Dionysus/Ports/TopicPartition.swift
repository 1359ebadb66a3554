/// A partition of a topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The topic's name.
    public var topic: String
    /// The partition's number, counted from zero.
    public var partition: Int32

    /// Creates a reference to a partition.
    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)[\(partition)]" }

    public static func < (lhs: TopicPartition, rhs: TopicPartition) -> Bool {
        (lhs.topic, lhs.partition) < (rhs.topic, rhs.partition)
    }
}

/// The bounds of a partition: its first offset, and the offset of the next message.
public struct OffsetRange: Sendable, Hashable {
    /// The offset of the oldest retained message.
    public var first: Int64
    /// The offset of the next message to be written.
    public var next: Int64

    /// Creates bounds.
    public init(first: Int64, next: Int64) {
        self.first = first
        self.next = next
    }
}

/// A group's committed position in a partition.
public struct CommittedPosition: Sendable, Hashable {
    /// The next offset to read.
    public var offset: Int64
    /// The metadata committed with it; nil if there was none.
    public var metadata: String?

    /// Creates a position.
    public init(offset: Int64, metadata: String? = nil) {
        self.offset = offset
        self.metadata = metadata
    }
}
