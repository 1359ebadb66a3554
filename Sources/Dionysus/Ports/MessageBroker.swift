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

    /// Joins a group.
    /// - Parameter options: Group, topics and how to read.
    /// - Returns: The consumer, which owns no partition yet.
    /// - Throws: ``DionysusError`` with code `configuration` for unknown or contradictory settings.
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
}

/// Sends messages.
public protocol MessageProducer: Sendable {
    /// The problem that prevents sending: the broker is unreachable or rejects the client. Nil if there is no known
    /// problem, or if the adapter can't detect problems.
    ///
    /// It is updated even while nothing is sent, and becomes nil once the broker has answered.
    var outage: DionysusError? { get }

    /// Sends a batch and waits until the broker has acknowledged or refused each message.
    ///
    /// Messages of one partition are written in the order of the batch. A message that exceeds the broker's limit is
    /// refused before it is queued. If the queue is full, the call waits.
    /// - Returns: A result per message, in the order of the batch. A failure is `messageRejected` (not retriable),
    ///   `unknownTopic` or `topicDenied` (for all messages of the topic), `accessDenied` (for all messages), or
    ///   `brokerUnavailable` (retriable).
    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>]

    /// Drops messages passed to ``send(_:)`` that have not been sent to the broker yet; their results say so.
    func purge()

    /// Waits for messages in flight, at most until the deadline, then closes.
    /// - Parameter deadline: The maximum wait.
    func close(deadline: Duration) async
}

extension MessageProducer {
    public var outage: DionysusError? { nil }
}

/// Reads messages as a member of a group.
///
/// The member's lifecycle is a sequence of events. It owns partitions from the answer to ``ConsumerEvent/assigned(_:)``
/// until the answer to ``ConsumerEvent/revoked(_:)`` or until ``ConsumerEvent/lost(_:)``.
public protocol MessageConsumer: Sendable {
    /// The problem that prevents reading: the broker is unreachable or rejects the client, the group rejects the
    /// member, or a topic is missing. Nil if there is no known problem, or if the adapter can't detect problems.
    ///
    /// It is set once an attempt to reach the broker has failed, and becomes nil once the broker has answered, so a
    /// mere reconnection is not a problem. One that isn't retriable lasts until somebody fixes the cause.
    var outage: DionysusError? { get }

    /// Waits for the next event.
    ///
    /// Membership doesn't depend on how often this is called: the adapter keeps the member alive, buffers up to its
    /// limit and stops fetching when nobody reads.
    /// - Parameters:
    ///   - maxMessages: The maximum number of messages to return.
    ///   - maxBytes: The limit for the bytes of keys and values; only the last message may exceed it.
    ///   - timeout: The maximum wait for an event.
    /// - Returns: The event, or nil after the timeout.
    /// - Throws: ``DionysusError`` if the consumer can't continue; `closed` after ``close()``. An unreachable broker is
    ///   not an error here: the consumer waits for it.
    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent?

    /// Starts reading partitions that have been assigned. This answers ``ConsumerEvent/assigned(_:)``.
    /// - Parameter positions: The start position of each partition.
    func start(_ positions: [TopicPartition: StartPosition]) async throws

    /// Releases partitions. This answers ``ConsumerEvent/revoked(_:)``.
    func release(_ partitions: [TopicPartition]) async throws

    /// Continues a partition at another offset and drops its buffered messages.
    /// - Parameters:
    ///   - partition: The partition, which is assigned to this consumer.
    ///   - position: The position to continue at.
    func seek(_ partition: TopicPartition, to position: StartPosition) async throws

    /// Stops returning messages of partitions without releasing them. Prefetched messages stay, and the adapter
    /// prefetches up to its limit.
    func pause(_ partitions: [TopicPartition]) async throws

    /// Resumes returning messages of paused partitions.
    func resume(_ partitions: [TopicPartition]) async throws

    /// Commits the group's positions to the broker, with ``ConsumerOptions/metadata``, for tools that show lag. The
    /// group does not resume from them.
    /// - Parameter offsets: The next offset to read in each partition.
    func commit(_ offsets: [TopicPartition: Int64]) async throws

    /// Leaves the group and closes.
    func close() async
}

extension MessageConsumer {
    public var outage: DionysusError? { nil }

    /// Waits for the next event, without a limit on the messages' size.
    public func next(maxMessages: Int, timeout: Duration) async throws -> ConsumerEvent? {
        try await next(maxMessages: maxMessages, maxBytes: .max, timeout: timeout)
    }
}

/// An event in the lifecycle of a group member.
public enum ConsumerEvent: Sendable {
    /// Messages of owned partitions, in the order of their offsets within each partition.
    case messages([ConsumedMessage])
    /// The group assigns these additional partitions to the member; answer with ``MessageConsumer/start(_:)``.
    case assigned([TopicPartition])
    /// The group revokes these partitions; finish their work and answer with ``MessageConsumer/release(_:)``.
    case revoked([TopicPartition])
    /// The member has lost these partitions; another may already own them. No answer is needed.
    case lost([TopicPartition])
    /// All messages before these offsets have been returned; the offsets after the last message belong to no messages,
    /// such as Kafka's transaction markers.
    ///
    /// It is sent only for such a gap, and never before the preceding messages.
    case reached([TopicPartition: Int64])
    /// A partition's position no longer exists in the log; the partition makes no progress until a seek.
    case outOfRange(TopicPartition, OffsetRange)
}

/// Where to start reading.
public enum StartPosition: Sendable, Hashable {
    /// The oldest retained message.
    case earliest
    /// The next message to be written.
    case latest
    /// The message at this offset.
    case offset(Int64)
    /// The first message with this timestamp or a later one; if there is none, the next message to be written.
    case time(Timestamp)
}

extension MessageBroker {
    /// The default for brokers without topic configurations.
    public func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        try await describeTopics(topics).reduce(into: [:]) { $0[$1.name] = TopicConfiguration() }
    }
}

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

    /// Creates options.
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
