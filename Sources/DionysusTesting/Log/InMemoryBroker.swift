public import Dionysus
import Synchronization

/// A broker with an in-memory log, for tests.
///
///     let broker = InMemoryBroker()
///     broker.refuse(2)                 // the next two messages, with a retriable error
///     broker.isAway = true             // until it is set to false
///
/// It passes the conformance suite for brokers. Sending to a missing topic creates it with four partitions. Nothing is
/// ever removed from the log.
public final class InMemoryBroker: MessageBroker {
    private struct Made {
        var producers: [InMemoryProducer] = []
        var consumers: [InMemoryConsumer] = []
        var isClosed = false
    }

    private let log: InMemoryLog
    private let made = Mutex(Made())

    /// Creates a broker with an empty log.
    public init() { log = InMemoryLog() }

    private init(log: InMemoryLog) { self.log = log }

    /// Creates another client of the same log.
    /// - Returns: The client, which is closed separately.
    package func client() -> InMemoryBroker { InMemoryBroker(log: log) }

    public var location: String { "memory" }

    // MARK: Faults

    /// Whether the broker is unavailable: all requests fail, and consumers receive nothing.
    public var isAway: Bool {
        get { log.look { $0.outage != nil } }
        set {
            log.change {
                $0.outage =
                    newValue
                    ? DionysusError(
                        .brokerUnavailable,
                        "the test made the in-memory broker unavailable",
                        isRetriable: true
                    )
                    : nil
            }
        }
    }

    /// Refuses messages with a retriable error.
    /// - Parameter count: The number of upcoming messages to refuse.
    public func refuse(_ count: Int) { log.change { $0.refused = count } }

    /// Refuses some messages until ``acceptAll()``.
    /// - Parameter rule: Returns the error for a refused message, or nil.
    public func refuse(where rule: @escaping @Sendable (OutgoingMessage) -> DionysusError?) {
        log.change { $0.refusal = rule }
    }

    /// Cancels ``refuse(_:)`` and ``refuse(where:)``.
    public func acceptAll() {
        log.change {
            $0.refused = 0
            $0.refusal = nil
        }
    }

    // MARK: Messages

    /// Everything in a topic, in the order in which it was appended, whatever the partition.
    /// - Parameter topic: The topic's full name.
    /// - Returns: The messages; none if there is no such topic.
    public func messages(in topic: String) -> [TopicMessage] { consumedMessages(in: topic).map(TopicMessage.init) }

    /// The same, as consumers get them.
    func consumedMessages(in topic: String) -> [ConsumedMessage] {
        log.look { $0.messages.filter { $0.source.topic == topic } }
    }

    // MARK: The port

    public func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        let producer = InMemoryProducer(log, options.partitioner)
        try made.withLock { made in
            guard !made.isClosed else { throw closedError }
            made.producers.append(producer)
        }
        return producer
    }

    public func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        guard !options.topics.isEmpty || !options.topicPatterns.isEmpty else {
            throw DionysusError(
                .configuration,
                "the group '\(options.groupID)' needs at least one topic",
                advice: "name at least one topic"
            )
        }
        let member = GroupState.Member(
            topics: Set(options.topics),
            patterns: try options.topicPatterns.map { try TopicPattern($0) }
        )
        if let outage = log.look({ $0.outage }) { throw outage }
        let consumer =
            options.partitions.isEmpty
            ? InMemoryConsumer(log, group: options.groupID, member, metadata: options.metadata)
            : InMemoryConsumer(log, partitions: options.partitions)
        let isTaken = made.withLock { made in
            if !made.isClosed { made.consumers.append(consumer) }
            return !made.isClosed
        }
        guard isTaken else {
            await consumer.close()
            throw closedError
        }
        return consumer
    }

    public func createTopics(_ topics: [TopicSpecification]) async throws {
        try reachable { state in
            for topic in topics { state.create(topic.name, partitions: topic.partitions) }
        }
    }

    public func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        try reachable { state in
            (topics ?? state.topics.keys.sorted())
                .compactMap { name in
                    state.topics[name].map { TopicDescription(name: name, partitions: Int32($0.partitions.count)) }
                }
        }
    }

    public func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try reachable { state in
            partitions.reduce(into: [:]) { $0[$1] = state.range(of: $1) }
        }
    }

    public func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        try reachable { state in
            partitions.reduce(into: [:]) { $0[$1] = state.offset(of: $1, at: time) }
        }
    }

    public func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp] {
        try reachable { state in
            positions.reduce(into: [:]) { times, position in
                guard let messages = state.messages(of: position.key), position.value < messages.count else { return }
                times[position.key] = messages[Int(max(0, position.value))].timestamp
            }
        }
    }

    public func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition] {
        try reachable { state in
            let wanted = Set(partitions)
            return state.groups[options.groupID]?.committed.filter { wanted.contains($0.key) } ?? [:]
        }
    }

    public func close() async {
        let (producers, consumers) = made.withLock { made in
            made.isClosed = true
            return (made.producers, made.consumers)
        }
        for consumer in consumers { await consumer.close() }
        for producer in producers { await producer.close(deadline: .zero) }
    }

    private func reachable<T>(_ body: (inout LogState) throws -> sending T) throws -> sending T {
        guard !made.withLock({ $0.isClosed }) else { throw closedError }
        return try log.change { state in
            if let outage = state.outage { throw outage }
            return try body(&state)
        }
    }

    private var closedError: DionysusError { DionysusError(.closed, "the in-memory broker has been closed") }
}
