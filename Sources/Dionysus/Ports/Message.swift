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
    private struct Fields: Sendable {
        var source: TopicPartition
        var offset: Int64
        var key: [UInt8]?
        var value: [UInt8]?
        var headers: [MessageHeader]
        var timestamp: Timestamp
    }

    /// Copies share it, because a message passes through many hands.
    private final class Content: Sendable {
        let fields: Fields
        let size: Int

        init(_ fields: Fields) {
            self.fields = fields
            size = fields.headers.reduce((fields.value?.count ?? 0) + (fields.key?.count ?? 0) + 100) {
                $0 + $1.name.utf8.count + $1.value.count
            }
        }
    }

    private var content: Content

    /// The partition it was read from.
    public var source: TopicPartition {
        get { content.fields.source }
        set { change { $0.source = newValue } }
    }
    /// Its offset.
    public var offset: Int64 {
        get { content.fields.offset }
        set { change { $0.offset = newValue } }
    }
    /// The message key.
    public var key: [UInt8]? {
        get { content.fields.key }
        set { change { $0.key = newValue } }
    }
    /// The value; nil is a tombstone.
    public var value: [UInt8]? {
        get { content.fields.value }
        set { change { $0.value = newValue } }
    }
    /// The headers, in their order.
    public var headers: [MessageHeader] {
        get { content.fields.headers }
        set { change { $0.headers = newValue } }
    }
    /// The time at which it was appended (broker's clock) or created (producer's clock).
    public var timestamp: Timestamp {
        get { content.fields.timestamp }
        set { change { $0.timestamp = newValue } }
    }

    /// About how much memory it takes, in bytes.
    package var size: Int { content.size }

    /// Creates a message.
    public init(
        source: TopicPartition,
        offset: Int64,
        key: [UInt8]?,
        value: [UInt8]?,
        headers: [MessageHeader],
        timestamp: Timestamp
    ) {
        content = Content(
            Fields(source: source, offset: offset, key: key, value: value, headers: headers, timestamp: timestamp)
        )
    }

    private mutating func change(_ change: (inout Fields) -> Void) {
        var fields = content.fields
        change(&fields)
        content = Content(fields)
    }
}
