/// Options for a producer.
public struct ProducerOptions: Sendable {
    /// The client's name in the broker's logs.
    public var clientID: String
    /// How partition keys map to partitions.
    public var partitioner: Partitioner
    /// The maximum wait for an acknowledgement before a message fails.
    ///
    /// It must be shorter than the relay's lease.
    public var messageTimeout: Duration
    /// Settings of the underlying client, passed through unchanged.
    public var settings: [String: String]

    /// Creates options.
    public init(
        clientID: String,
        partitioner: Partitioner = .crc32,
        messageTimeout: Duration = .seconds(30),
        settings: [String: String] = [:]
    ) {
        self.clientID = clientID
        self.partitioner = partitioner
        self.messageTimeout = messageTimeout
        self.settings = settings
    }
}

/// Options for a consumer.
public struct ConsumerOptions: Sendable {
    /// The client's name in the broker's logs.
    public var clientID: String
    /// The group to join.
    public var groupID: String
    /// The names of the topics to read.
    ///
    /// Topics that don't exist yet are read once they are created.
    public var topics: [String]
    /// Regular expressions for further topics to read.
    public var topicPatterns: [String]
    /// Settings of the underlying client, passed through unchanged.
    public var settings: [String: String]
    /// Metadata that is committed with every offset; nil for none.
    public var metadata: String?
    /// The approximate limit for prefetched bytes over all partitions; nil for the adapter's default.
    public var maxBufferedBytes: Int?
    /// The partitions to read without joining a group; empty to join ``groupID``.
    ///
    /// They are assigned at once, and never revoked. Others may read them at the same time, and nothing can be committed.
    public private(set) var partitions: [TopicPartition] = []

    /// Creates options to read partitions without joining a group.
    /// - Parameters:
    ///   - clientID: The client's name in the broker's logs.
    ///   - partitions: The partitions, at least one.
    ///   - settings: Settings of the underlying client, passed through unchanged.
    ///   - maxBufferedBytes: The approximate limit for prefetched bytes; nil for the adapter's default.
    public init(
        clientID: String,
        partitions: [TopicPartition],
        settings: [String: String] = [:],
        maxBufferedBytes: Int? = nil
    ) {
        let topics = Set(partitions.map(\.topic)).sorted()
        self.init(
            clientID: clientID,
            groupID: clientID,
            topics: topics,
            settings: settings,
            maxBufferedBytes: maxBufferedBytes
        )
        self.partitions = partitions
    }

    /// Creates options to join a group.
    public init(
        clientID: String,
        groupID: String,
        topics: [String],
        topicPatterns: [String] = [],
        settings: [String: String] = [:],
        metadata: String? = nil,
        maxBufferedBytes: Int? = nil
    ) {
        self.clientID = clientID
        self.groupID = groupID
        self.topics = topics
        self.topicPatterns = topicPatterns
        self.settings = settings
        self.metadata = metadata
        self.maxBufferedBytes = maxBufferedBytes
    }
}
