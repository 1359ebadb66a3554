public import Dionysus

/// Messages of one partition that are worked on together.
public struct MessageBatch: Sendable {
    /// The partition.
    public let partition: TopicPartition
    /// The messages as they came from the broker, in the order of their offsets; at least one.
    public let messages: [ConsumedMessage]
}
