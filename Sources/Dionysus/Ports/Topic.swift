/// A topic to create.
public struct TopicSpecification: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// The number of partitions.
    public var partitions: Int32
    /// The replication factor; -1 for the broker's default.
    public var replicationFactor: Int32
    /// The broker's settings for the topic, such as `cleanup.policy`.
    public var settings: [String: String]

    /// Creates a specification.
    public init(name: String, partitions: Int32 = 4, replicationFactor: Int32 = 1, settings: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.settings = settings
    }
}

/// An existing topic.
public struct TopicDescription: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// The number of partitions.
    public var partitions: Int32

    /// Creates a description.
    public init(name: String, partitions: Int32) {
        self.name = name
        self.partitions = partitions
    }
}

/// A topic's configuration, as far as the broker reports it.
public struct TopicConfiguration: Sendable, Hashable {
    /// The replication factor; nil if unknown.
    public var replicationFactor: Int32?
    /// The broker's settings for the topic, including defaults; nil if unknown.
    public var settings: [String: String]?

    /// Creates a configuration.
    /// - Parameters:
    ///   - replicationFactor: How many brokers hold each partition; nil if it is unknown.
    ///   - settings: The broker's settings for the topic; nil if they are unknown.
    public init(replicationFactor: Int32? = nil, settings: [String: String]? = nil) {
        self.replicationFactor = replicationFactor
        self.settings = settings
    }
}
