/// A log of messages: Kafka, or the embedded log.
public protocol MessageBroker: Sendable {
    /// The broker's address for messages; without secrets.
    var location: String { get }

    /// The kind of broker as in OpenTelemetry's `messaging.system`; `kafka` by default.
    var messagingSystem: String { get }

    /// Creates a producer.
    /// - Returns: The producer. It connects when it first sends.
    /// - Throws: ``DionysusError`` with code `configuration` for unknown or contradictory settings.
    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer

    /// Joins a group, or reads partitions without one if the options name them.
    /// - Parameter options: Group, topics and how to read.
    /// - Returns: The consumer, which owns no partition yet.
    /// - Throws: ``DionysusError`` with code `configuration` for unknown or contradictory settings. A broker that can tell
    ///   throws `unknownTopic` for a named partition that does not exist.
    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer

    /// Creates topics.
    /// - Parameter topics: The topics; existing ones are left unchanged.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func createTopics(_ topics: [TopicSpecification]) async throws

    /// Describes topics.
    /// - Parameter topics: Their names, or nil for all of them.
    /// - Returns: Those that exist.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func describeTopics(_ topics: [String]?) async throws -> [TopicDescription]

    /// Reads the configuration of topics.
    /// - Returns: The configurations of existing topics, with nil for values that the broker doesn't have or doesn't
    ///   report.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func configurations(of topics: [String]) async throws -> [String: TopicConfiguration]

    /// Reads the bounds of partitions.
    /// - Returns: The first and the next offset of each partition that exists and has no error.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange]

    /// Reads the times of messages.
    /// - Parameter positions: An offset for each partition.
    /// - Returns: For each partition, the time of the first message at or after the offset, if there is one. A broker
    ///   that can't determine this without reading returns nothing, which is the default.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp]

    /// Looks up offsets by time.
    /// - Parameters:
    ///   - partitions: The partitions to look in.
    ///   - time: The time, which is rounded up to Kafka's milliseconds.
    /// - Returns: For each partition, the offset of the first message with this timestamp or a later one, or its next
    ///   offset if there is none; without partitions that don't exist or have an error.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64]

    /// Reads the positions that a group has committed with ``MessageConsumer/commit(_:)``, without joining it.
    /// - Parameters:
    ///   - options: The options with which the group is joined.
    ///   - partitions: The partitions whose positions are read.
    /// - Returns: The positions, without partitions that have none. A broker that stores no positions returns nothing,
    ///   which is the default.
    /// - Throws: ``DionysusError``: `brokerUnavailable` if the broker can't be reached, `configuration` if it does not
    ///   allow this client to read them.
    func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition]

    /// Closes all open producers and consumers of this broker.
    func close() async
}

extension MessageBroker {
    public var messagingSystem: String { "kafka" }

    public func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp] { [:] }

    public func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition] { [:] }

    /// The default for brokers without topic configurations.
    public func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        try await describeTopics(topics).reduce(into: [:]) { $0[$1.name] = TopicConfiguration() }
    }
}
