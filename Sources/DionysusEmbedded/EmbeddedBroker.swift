public import Dionysus
import GRDB
import Synchronization

/// A durable message log in one SQLite file, for development, tests and installations without Kafka.
///
///     let broker = try EmbeddedBroker(path: "data/log.sqlite")
///     let producer = try await broker.makeProducer(ProducerOptions(clientID: "bookings"))
///
/// Any number of processes of one machine can have the file open at once, each with producers and consumers. They
/// share consumer groups. The file must not be on a network file system.
///
/// A topic is created by ``createTopics(_:)``, or with ``EmbeddedLogOptions/defaultPartitions`` partitions by the first
/// message sent to it. A consumer of a topic that doesn't exist reads it once it does.
public final class EmbeddedBroker: MessageBroker {
    private struct State {
        var producers: [UInt64: EmbeddedProducer] = [:]
        var consumers: [EmbeddedConsumer] = []
        var nextProducer: UInt64 = 0
        var retention: Task<Void, Never>?
        var isClosed = false
    }

    /// The path of the file.
    package let path: String
    private let options: EmbeddedLogOptions
    private let log: LogFile
    private let catalogue = TopicCatalogue()
    private let watch: LogWatch
    private let queue: AppendQueue
    private let state = Mutex(State())

    public var location: String { "embedded:\(path)" }
    public var messagingSystem: String { "dionysus" }

    /// Opens a log, and creates the file and its directory where they are missing.
    /// - Parameters:
    ///   - path: The file's path.
    ///   - options: How the log is kept.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` if the file is something else, is damaged, or was made by a newer
    ///   version; `brokerUnavailable` if it can't be opened or created; `configuration` for options that make no sense.
    public init(path: String, options: EmbeddedLogOptions = EmbeddedLogOptions()) throws {
        try options.validate(path: path)
        self.path = path
        self.options = options
        log = try LogFile(path: path, options: options)
        watch = try LogWatch(log)
        queue = AppendQueue(log: log, catalogue: catalogue, watch: watch, options: options)
        startRetention()
    }

    deinit { state.withLock { $0.retention?.cancel() } }

    public func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        if let name = options.settings.keys.min() {
            throw DionysusError(
                .configuration,
                "the embedded log has no producer setting \(name)",
                advice: "remove it, or use Kafka"
            )
        }
        return try openState { state in
            state.nextProducer += 1
            let id = state.nextProducer
            let producer = EmbeddedProducer(id: id, options: options, queue: queue, watch: watch)
            state.producers[id] = producer
            return producer
        }
    }

    public func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        try openState { _ in }
        _ = try Subscription.compile(options.topicPatterns)
        let settings = try ReaderSettings(options.settings)
        let consumer = try await EmbeddedConsumer(options: options, settings: settings, log: log, watch: watch)
        do {
            try openState { $0.consumers.append(consumer) }
        } catch {
            await consumer.close()
            throw error
        }
        return consumer
    }

    /// Creates topics.
    ///
    /// Their replication factor and their settings have no meaning here: what is kept is a matter of the whole log
    /// (``EmbeddedLogOptions/retentionAge``, ``EmbeddedLogOptions/retentionBytes``).
    public func createTopics(_ topics: [TopicSpecification]) async throws {
        for topic in topics where topic.partitions < 1 || !TopicCatalogue.isValidName(topic.name) {
            throw DionysusError(
                .configuration,
                "topic \(topic.name) with \(topic.partitions) partitions can't be created",
                advice: "use 1 to 249 letters, digits, dots, underscores and dashes, and at least one partition"
            )
        }
        let created = try await log.write { [catalogue] connection in
            try topics.map { topic in
                try catalogue.layout(of: topic.name, in: connection)
                    ?? catalogue.create(topic.name, partitions: topic.partitions, in: connection)
            }
        }
        catalogue.remember(created)
        watch.notify()
    }

    /// Adds partitions to a topic, while it is written and read.
    ///
    /// Keys are spread anew from then on, and messages that are there stay where they are. So the messages of a record
    /// may stand in two partitions, which consumers read side by side: their versions tell which is the more recent.
    /// - Parameters:
    ///   - topic: The topic's name.
    ///   - count: How many partitions it has then; with fewer than it has already, nothing changes.
    /// - Throws: ``/Dionysus/DionysusError``: `unknownTopic` if it doesn't exist; `brokerUnavailable` if the log can't be written.
    package func addPartitions(to topic: String, upTo count: Int32) async throws {
        let grown = try await log.write { [catalogue] in try catalogue.grow(topic, to: count, in: $0) }
        guard let grown else {
            throw DionysusError(
                .unknownTopic,
                "the topic \(topic) does not exist in the embedded log \(path)",
                advice: "create it, or correct its name"
            )
        }
        catalogue.remember([grown])
        watch.notify()
    }

    public func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        let wanted = topics.map(Set.init)
        return try await log.read { connection in
            try Row.fetchAll(connection, sql: "SELECT name, partitions FROM topics ORDER BY name")
                .map { TopicDescription(name: $0[0], partitions: $0[1]) }
                .filter { wanted?.contains($0.name) ?? true }
        }
    }

    public func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try await log.read { try OffsetRange.fetch(partitions, in: $0) }
    }

    public func timestamps(of positions: [TopicPartition: Int64]) async throws -> [TopicPartition: Timestamp] {
        try await log.read { try Timestamp.fetch(positions, in: $0) }
    }

    public func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        try await log.read { connection in
            let ranges = try OffsetRange.fetch(partitions, in: connection)
            return try ranges.reduce(into: [:]) { offsets, entry in
                offsets[entry.key] = try entry.value.offset(of: entry.key, at: time, in: connection)
            }
        }
    }

    /// The positions that a group has told with ``MessageConsumer/commit(_:)``: for each partition, the next offset.
    /// - Parameter group: The group's id.
    /// - Returns: The offsets; none for a group that doesn't exist.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the log can't be read.
    package func committedOffsets(group: String) async throws -> [TopicPartition: Int64] {
        try await committedPositions(of: group).mapValues(\.offset)
    }

    public func committedPositions(
        of options: ConsumerOptions,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: CommittedPosition] {
        let wanted = Set(partitions)
        return try await committedPositions(of: options.groupID).filter { wanted.contains($0.key) }
    }

    private func committedPositions(of group: String) async throws -> [TopicPartition: CommittedPosition] {
        try await log.read { connection in
            let rows = try Row.fetchAll(
                connection,
                sql: """
                    SELECT t.name, p.number, c.next_offset, c.metadata
                    FROM committed_offsets c JOIN consumer_groups g ON g.id = c.group_id
                    JOIN partitions p ON p.id = c.partition_id JOIN topics t ON t.id = p.topic_id
                    WHERE g.name = ?
                    """,
                arguments: [group]
            )
            return Dictionary(
                uniqueKeysWithValues: rows.map {
                    (TopicPartition($0[0], $0[1]), CommittedPosition(offset: $0[2], metadata: $0[3]))
                }
            )
        }
    }

    /// Deletes messages that needn't be kept any more, as happens by itself every
    /// ``EmbeddedLogOptions/retentionInterval``.
    /// - Returns: How many messages were deleted.
    /// - Throws: ``DionysusError``, `brokerUnavailable` if the log can't be written.
    @discardableResult
    package func enforceRetention() async throws -> Int {
        try await Retention(log: log, options: options).enforce()
    }

    public func close() async {
        let open = state.withLock { state in
            defer { state = State(isClosed: true) }
            return state
        }
        guard !open.isClosed else { return }
        open.retention?.cancel()
        for producer in open.producers.values { await producer.close(deadline: options.busyTimeout) }
        for consumer in open.consumers { await consumer.close() }
        watch.close()
        log.close()
    }

    private func openState<T: Sendable>(_ body: (inout State) throws -> T) throws -> T {
        try state.withLock { state in
            guard !state.isClosed else { throw LogFile.closedError(path) }
            return try body(&state)
        }
    }

    private func startRetention() {
        let retention = Retention(log: log, options: options)
        guard !retention.isUnlimited else { return }
        let interval = options.retentionInterval
        let task = Task {
            // What can't be deleted now is deleted next time.
            for await _ in Cadence(every: interval) { _ = try? await retention.enforce() }
        }
        state.withLock { $0.retention = task }
    }
}

extension EmbeddedLogOptions {
    fileprivate func validate(path: String) throws {
        let fault: String? =
            if path.isEmpty {
                "the path of the embedded log is empty"
            } else if defaultPartitions < 1 {
                "defaultPartitions of the embedded log must be at least 1"
            } else if maximumMessageBytes < 1 {
                "maximumMessageBytes of the embedded log must be at least 1"
            } else if retentionInterval <= .zero {
                "retentionInterval of the embedded log must be above zero"
            } else {
                nil
            }
        if let fault { throw DionysusError(.configuration, fault, advice: "correct it") }
    }
}
