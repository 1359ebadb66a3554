/// A header of a message.
public struct MessageHeader: Sendable, Hashable {
    /// The header's name.
    public var name: String
    /// Its value.
    public var value: [UInt8]

    /// Creates a header.
    public init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// A message to send.
public struct OutgoingMessage: Sendable {
    /// The partition that a message is sent to.
    public enum Destination: Sendable, Hashable {
        /// The partition that the partitioner chooses for these bytes: the partition key, or else the message key.
        case partitioned(by: [UInt8])
        /// This partition.
        case partition(Int32)
    }

    /// The topic's name.
    public var topic: String
    /// The partition, or how to choose it.
    public var destination: Destination
    /// The message key.
    public var key: [UInt8]?
    /// The value; nil is a tombstone.
    public var value: [UInt8]?
    /// The headers, in their order.
    public var headers: [MessageHeader]

    /// Creates a message.
    public init(
        topic: String,
        destination: Destination,
        key: [UInt8]?,
        value: [UInt8]?,
        headers: [MessageHeader] = []
    ) {
        self.topic = topic
        self.destination = destination
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// The position of a message in the log.
public struct Acknowledgement: Sendable, Hashable {
    /// The partition.
    public var partition: Int32
    /// The offset in it.
    public var offset: Int64

    /// Creates an acknowledgement.
    public init(partition: Int32, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}

/// A message that was read.
public struct ConsumedMessage: Sendable {
    /// The partition it was read from.
    public var source: TopicPartition
    /// Its offset.
    public var offset: Int64
    /// The message key.
    public var key: [UInt8]?
    /// The value; nil is a tombstone.
    public var value: [UInt8]?
    /// The headers, in their order.
    public var headers: [MessageHeader]
    /// The time at which it was appended (broker's clock) or created (producer's clock).
    public var timestamp: Timestamp

    /// Creates a message.
    public init(
        source: TopicPartition,
        offset: Int64,
        key: [UInt8]?,
        value: [UInt8]?,
        headers: [MessageHeader],
        timestamp: Timestamp
    ) {
        self.source = source
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}
