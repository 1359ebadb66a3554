/// Reads messages as a member of a group, or partitions that were named.
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
