/// A topic to be created.
public struct TopicSpecification: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// How many partitions it has.
    public var partitions: Int32
    /// On how many brokers each partition is kept; -1 is what the broker is configured with.
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

/// A topic that exists.
public struct TopicDescription: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// How many partitions it has.
    public var partitions: Int32

    /// Creates a description.
    public init(name: String, partitions: Int32) {
        self.name = name
        self.partitions = partitions
    }
}

/// What a topic is configured with, as far as the broker tells.
public struct TopicConfiguration: Sendable, Hashable {
    /// On how many brokers each partition is kept; nil if that is unknown.
    public var replicationFactor: Int32?
    /// The broker's settings for the topic, its defaults included; nil if they are unknown.
    public var settings: [String: String]?

    /// Creates a configuration.
    /// - Parameters:
    ///   - settings: The broker's settings for the topic; nil if they are unknown.
    public init(replicationFactor: Int32? = nil, settings: [String: String]? = nil) {
        self.replicationFactor = replicationFactor
        self.settings = settings
    }
}
