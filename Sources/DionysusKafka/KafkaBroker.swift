import CRdkafka
public import Dionysus
public import Logging
import Synchronization

/// A Kafka cluster, reached through librdkafka.
///
///     let broker = try KafkaBroker(
///         bootstrapServers: "kafka-1:9092,kafka-2:9092",
///         settings: ["security.protocol": "SASL_SSL"],
///         logger: Logger(label: "kafka")
///     )
///
/// Settings are librdkafka's, as listed in its CONFIGURATION.md; settings in a producer's or a consumer's options
/// override those given here. A few can't be changed because guarantees depend on them: a producer is idempotent and
/// waits for all replicas; a consumer never commits or resets offsets by itself. A consumer buffers up to
/// `queued.max.messages.kbytes` of each partition, by default its share of
/// ``/Dionysus/ConsumerOptions/maxBufferedBytes``; a producer up to `queue.buffering.max.messages` and
/// `queue.buffering.max.kbytes`. Keep `message.max.bytes` at or below the topics' limit: a broker refuses all messages
/// of a request together.
public final class KafkaBroker: MessageBroker {
    private struct Made {
        var producers: [KafkaProducer] = []
        var consumers: [KafkaConsumer] = []
        /// The clients that read groups' committed offsets.
        var groups: [String: Administration] = [:]
        var isClosed = false
    }

    /// The assumed number of partitions that share the prefetch limit, if no broker answers when a member is created.
    private static let assumedPartitions = 16

    /// The loaded version of librdkafka.
    package static var libraryVersion: String { String(cString: rd_kafka_version_str()) }

    public let location: String
    private let settings: [String: String]
    private let events: ClientEvents
    private let administration: Administration
    private let made = Mutex(Made())

    /// Creates a broker for a cluster; it connects on first use.
    /// - Parameters:
    ///   - bootstrapServers: Some of its brokers, `host:port`, separated by commas or semicolons.
    ///   - settings: librdkafka's settings for all clients.
    ///   - logger: The logger for librdkafka's log lines.
    ///   - onStatistics: Called every `statistics.interval.ms`, if that is set, on a client's thread; it should return
    ///   soon.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` if no broker is named or a setting is invalid.
    public init(
        bootstrapServers: String,
        settings: [String: String] = [:],
        logger: Logger = Logger(label: "dionysus.kafka"),
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) throws {
        let servers = SettingsDisplay.serverList(bootstrapServers).joined(separator: ",")
        guard !servers.isEmpty else {
            throw DionysusError(
                .configuration,
                "no Kafka broker is named",
                advice: "give at least one as host:port"
            )
        }
        // Kafka's credentials are settings; librdkafka would look them up as part of the host name, and log them.
        guard !servers.contains("@") else {
            throw DionysusError(
                .configuration,
                "the list of Kafka brokers contains an @, as if it had credentials",
                advice: "give each broker as host:port, and credentials as sasl.username and sasl.password"
            )
        }
        let version = Int(rd_kafka_version())
        try RequiredVersion.librdkafka.require([version >> 24 & 0xff, version >> 16 & 0xff, version >> 8 & 0xff])
        let outage = OutageLog(location: "kafka://\(servers)", logger: logger)
        let events = ClientEvents(
            logger: logger,
            outage: outage,
            commits: CommitLog(logger: logger),
            onStatistics: onStatistics
        )
        let layers = [settings, ["bootstrap.servers": servers]]
        let administrative = try ClientSettings(
            defaults: ["client.id": "dionysus", "socket.nagle.disable": "true"],
            layers: layers,
            fixed: []
        )
        // Finds invalid settings here instead of on first use.
        rd_kafka_conf_destroy(try administrative.makeConfiguration(events: 0))
        location = "kafka://\(servers)"
        self.settings = layers[0].merging(layers[1]) { $1 }
        self.events = events
        administration = Administration(location: location, events: events.forAnotherClient()) {
            try Client(RD_KAFKA_PRODUCER, settings: administrative, events: 0, logger: logger)
        }
    }

    public func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        let settings = try ClientSettings.producer(options, cluster: settings)
        let producer = try KafkaProducer { [events] in
            try ProducerSession(
                settings: settings,
                partitioner: options.partitioner,
                events: events.forAnotherClient()
            )
        } shortages: { [administration] topics in
            try await administration.shortages(of: topics)
        } onClose: { [weak self] closed in
            self?.made.withLock { $0.producers.removeAll { $0 === closed } }
        }
        let isTaken = made.withLock { made in
            if !made.isClosed { made.producers.append(producer) }
            return !made.isClosed
        }
        guard isTaken else {
            await producer.close(deadline: .zero)
            throw closedError
        }
        return producer
    }

    public func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        var partitions: Int?
        if options.maxBufferedBytes != nil {
            partitions = await administration.partitionCount(of: options.topics, patterns: options.topicPatterns)
        }
        let settings = try ClientSettings.consumer(
            options,
            cluster: settings,
            partitions: partitions ?? Self.assumedPartitions
        )
        let client = try Client(
            RD_KAFKA_CONSUMER,
            settings: settings,
            events: RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT,
            logger: events.logger
        )
        if options.partitions.isEmpty { try subscribe(client, options) }
        let starts = StartOffsets { [administration] in try await administration.offsets(of: $0, at: $1) }
        let consumer = KafkaConsumer(
            client,
            events: events.forAnotherClient(),
            options: options,
            starts: starts
        ) { [weak self] closed in
            self?.made.withLock { $0.consumers.removeAll { $0 === closed } }
        }
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

    /// Joins the group, or destroys the client.
    private func subscribe(_ client: Client, _ options: ConsumerOptions) throws {
        // librdkafka treats a name that begins with ^ as a pattern.
        let patterns = options.topicPatterns.map { $0.hasPrefix("^") ? $0 : "^\($0)" }
        let code = PartitionList(topics: options.topics + patterns).lend { rd_kafka_subscribe(client.pointer, $0) }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        rd_kafka_queue_destroy(client.queue)
        rd_kafka_destroy(client.pointer)
        throw DionysusError(
            .configuration,
            "the group '\(options.groupID)' can't subscribe to its topics: \(code.text)",
            advice: "name at least one topic, and check the patterns: \(patterns.joined(separator: " "))"
        )
    }

    public func createTopics(_ topics: [TopicSpecification]) async throws {
        try await administration.createTopics(topics)
    }

    public func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        try await administration.describeTopics(topics)
    }

    public func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        try await administration.configurations(of: topics)
    }

    public func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try await administration.offsets(of: partitions)
    }

    public func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        try await administration.offsets(of: partitions, at: time)
    }

    public func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition] {
        let settings = try ClientSettings.consumer(options, cluster: settings)
        let group = try made.withLock { made in
            guard !made.isClosed else { throw closedError }
            if let group = made.groups[options.groupID] { return group }
            let group = Administration(location: location, events: events) { [events] in
                try Client(RD_KAFKA_CONSUMER, settings: settings, events: 0, logger: events.logger)
            }
            made.groups[options.groupID] = group
            return group
        }
        return try await group.committedPositions(of: partitions)
    }

    public func close() async {
        let (consumers, producers, groups) = made.withLock { made in
            made.isClosed = true
            defer { made.groups = [:] }
            return (made.consumers, made.producers, made.groups.values)
        }
        for group in groups { await group.close() }
        for consumer in consumers { await consumer.close() }
        for producer in producers { await producer.close(deadline: .seconds(5)) }
        await administration.close()
    }

    private var closedError: DionysusError { DionysusError(.closed, "the Kafka broker \(location) has been closed") }
}
