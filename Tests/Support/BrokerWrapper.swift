public import Dionysus

/// A broker that forwards to another by default, for overrides.
public protocol BrokerWrapper: MessageBroker {
    /// The other broker.
    var base: any MessageBroker { get }
}

extension BrokerWrapper {
    public var location: String { base.location }
    public var messagingSystem: String { base.messagingSystem }

    public func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        try await base.makeProducer(options)
    }

    public func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        try await base.makeConsumer(options)
    }

    public func createTopics(_ topics: [TopicSpecification]) async throws { try await base.createTopics(topics) }

    public func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        try await base.describeTopics(topics)
    }

    public func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        try await base.configurations(of: topics)
    }

    public func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try await base.offsets(of: partitions)
    }

    public func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp] {
        try await base.timestamps(of: positions)
    }

    public func offsets(
        of partitions: [TopicPartition],
        at time: Timestamp
    ) async throws -> [TopicPartition: Int64] {
        try await base.offsets(of: partitions, at: time)
    }

    public func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition] {
        try await base.committedPositions(of: options, in: partitions)
    }

    public func close() async { await base.close() }
}

/// A group member that forwards to another by default, for overrides.
public protocol ConsumerWrapper: MessageConsumer {
    /// The other member.
    var base: any MessageConsumer { get }
}

extension ConsumerWrapper {
    public var outage: DionysusError? { base.outage }

    public func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        try await base.next(maxMessages: maxMessages, maxBytes: maxBytes, timeout: timeout)
    }

    public func start(_ positions: [TopicPartition: StartPosition]) async throws { try await base.start(positions) }

    public func release(_ partitions: [TopicPartition]) async throws { try await base.release(partitions) }

    public func seek(_ partition: TopicPartition, to position: StartPosition) async throws {
        try await base.seek(partition, to: position)
    }

    public func pause(_ partitions: [TopicPartition]) async throws { try await base.pause(partitions) }

    public func resume(_ partitions: [TopicPartition]) async throws { try await base.resume(partitions) }

    public func commit(_ offsets: [TopicPartition: Int64]) async throws { try await base.commit(offsets) }

    public func close() async { await base.close() }
}
