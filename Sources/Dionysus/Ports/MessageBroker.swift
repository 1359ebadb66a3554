/// A log of messages: Kafka, or the embedded log.
public protocol MessageBroker: Sendable {
    /// Where the broker is, for messages; without secrets.
    var location: String { get }

    /// The kind of broker, as OpenTelemetry's `messaging.system` names it; `kafka` by default.
    var messagingSystem: String { get }

    /// Creates a producer.
    /// - Returns: The producer. It connects when it first sends.
    /// - Throws: ``DionysusError`` with code `configuration` for settings that don't exist or contradict each other.
    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer

    /// Joins a group.
    /// - Parameter options: Group, topics and how to read.
    /// - Returns: The consumer, which owns no partition yet.
    /// - Throws: ``DionysusError`` with code `configuration` for settings that don't exist or contradict each other.
    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer

    /// Creates topics.
    /// - Parameter topics: The topics; those that exist already stay as they are.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func createTopics(_ topics: [TopicSpecification]) async throws

    /// Describes topics.
    /// - Parameter topics: Their names, or nil for all of them.
    /// - Returns: Those that exist.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func describeTopics(_ topics: [String]?) async throws -> [TopicDescription]

    /// What topics are configured with.
    /// - Returns: The configurations of those that exist; what the broker doesn't keep, or doesn't tell, is nil in them.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func configurations(of topics: [String]) async throws -> [String: TopicConfiguration]

    /// The bounds of partitions.
    /// - Returns: For each, its first and its next offset, and for those that have no error.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange]

    /// The times of messages.
    /// - Parameter positions: An offset for each partition.
    /// - Returns: For each partition, when the first message at its offset or behind it was appended, or created; none
    ///   where there is no such message. A broker that can't tell without reading returns nothing, as by default.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp]

    /// Where partitions stood at a time.
    /// - Parameters:
    ///   - time: The time. Kafka's clock has milliseconds; the time is rounded up to them.
    /// - Returns: For each, the offset of its first message whose timestamp is this time or later, or its next offset
    ///   if it has no such message; those that don't exist, or have an error, are left out.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the broker can't be reached.
    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64]

    /// What a group has told of its positions with ``MessageConsumer/commit(_:)``, without joining it.
    /// - Parameters:
    ///   - options: The group, as it is joined.
    /// - Returns: The positions; none for partitions of which nothing was told. A broker that keeps none returns nothing,
    ///   as by default.
    /// - Throws: ``DionysusError``: `brokerUnavailable` if the broker can't be reached, `configuration` if it does not
    ///   allow this client to ask.
    func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition]

    /// Closes everything that was made from this broker and is still open.
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
    /// What keeps it from sending: the broker can't be reached, or lets the client not in. Nil if nothing does, as far as
    /// is known, and always where an adapter can't tell.
    ///
    /// It is told also while nothing is sent, and taken back once the broker has answered.
    var outage: DionysusError? { get }

    /// Sends a batch and waits until the broker has acknowledged or refused each message.
    ///
    /// Messages of one partition are written in the order of the batch. A message that is larger than the broker
    /// takes is refused before anything of it is queued. A full queue is waited for.
    /// - Returns: A result per message, in the order of the batch. A failure is `messageRejected` (not retriable),
    ///   `unknownTopic` or `topicDenied` (of all messages of the topic), `accessDenied` (of all messages), or
    ///   `brokerUnavailable` (retriable).
    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>]

    /// Drops what has been given to ``send(_:)`` and not yet gone to the broker; its results say so.
    func purge()

    /// Waits for what is under way, at most until the deadline, then closes.
    /// - Parameter deadline: How long to wait.
    func close(deadline: Duration) async
}

extension MessageProducer {
    public var outage: DionysusError? { nil }
}

/// Reads messages as a member of a group.
///
/// The member's life is a sequence of events. It owns partitions from the answer to ``ConsumerEvent/assigned(_:)``
/// until the answer to ``ConsumerEvent/revoked(_:)`` or until ``ConsumerEvent/lost(_:)``.
public protocol MessageConsumer: Sendable {
    /// What keeps it from reading: the broker can't be reached or lets the client not in, the group does not take the
    /// member, or a topic isn't there. Nil if nothing does, as far as is known.
    ///
    /// It is told once the broker has been tried in vain, and taken back once the broker has answered, so that a
    /// connection that is merely made anew is none. Nil always where an adapter can't tell. One that is not retriable
    /// lasts until somebody corrects what is wrong.
    var outage: DionysusError? { get }

    /// Waits for the next event.
    ///
    /// Membership doesn't depend on how often this is called: the adapter keeps the member alive, buffers what it
    /// may and stops fetching when nobody asks.
    /// - Parameters:
    ///   - maxMessages: The most messages to return at once.
    ///   - maxBytes: How many bytes of keys and values are enough; only the last message goes beyond that.
    ///   - timeout: How long to wait for an event.
    /// - Returns: The event, or nil when the time is over.
    /// - Throws: ``DionysusError`` when the consumer can't go on; `closed` after ``close()``. A broker that is away is
    ///   no such error: it is waited for.
    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent?

    /// Starts reading partitions that have been assigned. This answers ``ConsumerEvent/assigned(_:)``.
    /// - Parameter positions: Each partition with the place to start at.
    func start(_ positions: [TopicPartition: StartPosition]) async throws

    /// Gives partitions back. This answers ``ConsumerEvent/revoked(_:)``.
    func release(_ partitions: [TopicPartition]) async throws

    /// Continues a partition at another offset; what was buffered of it is dropped.
    /// - Parameters:
    ///   - position: The place to continue at.
    func seek(_ partition: TopicPartition, to position: StartPosition) async throws

    /// Returns no more messages of partitions, without giving them back. What has been fetched of them stays where it is,
    /// and as much is fetched ahead as the adapter may hold.
    func pause(_ partitions: [TopicPartition]) async throws

    /// Returns messages of paused partitions again.
    func resume(_ partitions: [TopicPartition]) async throws

    /// Tells the broker the group's position, for tools that show lag, with ``ConsumerOptions/metadata``. It is not what
    /// this group resumes from.
    /// - Parameter offsets: The next offset to be read, for each partition.
    func commit(_ offsets: [TopicPartition: Int64]) async throws

    /// Leaves the group and closes.
    func close() async
}

extension MessageConsumer {
    public var outage: DionysusError? { nil }

    /// Waits for the next event, whose messages may be of any size.
    public func next(maxMessages: Int, timeout: Duration) async throws -> ConsumerEvent? {
        try await next(maxMessages: maxMessages, maxBytes: .max, timeout: timeout)
    }
}

/// What happens to a member of a group.
public enum ConsumerEvent: Sendable {
    /// Messages of owned partitions; those of one partition are in the order of their offsets.
    case messages([ConsumedMessage])
    /// The member is to own these partitions as well; answer with ``MessageConsumer/start(_:)``.
    case assigned([TopicPartition])
    /// The member is to give these partitions back; finish their work and answer with ``MessageConsumer/release(_:)``.
    case revoked([TopicPartition])
    /// The member has lost these partitions; another may own them already. Nothing is to be answered.
    case lost([TopicPartition])
    /// The messages before these offsets have all been returned, though the last one of a partition stands further
    /// below: what lies between is no message, such as the marks that transactions leave behind in Kafka.
    ///
    /// It is told only where there is such a gap, and never ahead of the messages before it.
    case reached([TopicPartition: Int64])
    /// The position of a partition no longer exists in the log; seek, or the partition stands still.
    case outOfRange(TopicPartition, OffsetRange)
}

/// Where to start reading.
public enum StartPosition: Sendable, Hashable {
    /// The oldest message that is kept.
    case earliest
    /// The message that is written next.
    case latest
    /// The message at this offset.
    case offset(Int64)
    /// The first message whose timestamp is this time or later; the message that is written next if there is none.
    case time(Timestamp)
}

extension MessageBroker {
    /// A broker that keeps no configuration of topics knows of nothing.
    public func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        try await describeTopics(topics).reduce(into: [:]) { $0[$1.name] = TopicConfiguration() }
    }
}

/// How a producer sends.
public struct ProducerOptions: Sendable {
    /// Names the client in the broker's logs.
    public var clientID: String
    /// How partition keys become partitions.
    public var partitioner: Partitioner
    /// How long a message may wait for its acknowledgement before it fails.
    ///
    /// Shorter than the relay's lease.
    public var messageTimeout: Duration
    /// Settings of the underlying client, passed through as they are.
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

/// How a consumer reads.
public struct ConsumerOptions: Sendable {
    /// Names the client in the broker's logs.
    public var clientID: String
    /// The group to join.
    public var groupID: String
    /// The topics to read, by name.
    ///
    /// Those that don't exist yet are read once they do.
    public var topics: [String]
    /// Regular expressions for more topics to read.
    public var topicPatterns: [String]
    /// Settings of the underlying client, passed through as they are.
    public var settings: [String: String]
    /// A text that stands beside every offset which the member commits; nil for none.
    public var metadata: String?
    /// About how many bytes of messages the adapter may hold that nobody has asked for yet, over all partitions; nil for
    /// as many as it holds by itself.
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
