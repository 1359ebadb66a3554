public import Dionysus

/// Moves a consumer to other positions in its topics.
///
///     let positions = ConsumerPositions(RentalMirror(), database: database, broker: broker, settings: settings)
///     try await positions.reset("v3_rentals", to: .earliest)
///
/// Replaying a topic gives the same replica: destructions that are remembered stay so, a replica's guard skips what is
/// older than the record, and what was missing is filled in. Reactions, bus events and handlers are called again for each
/// event, except where the event log says that it was handled.
public struct ConsumerPositions: Sendable {
    let database: any Database
    let broker: any MessageBroker
    let settings: ConsumerSettings
    let topics: ConsumedTopics
    let offsets: OffsetStore

    /// Creates the positions of a group.
    public init(
        _ consumer: some Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings
    ) {
        self.database = database
        self.broker = broker
        self.settings = settings
        topics = ConsumedTopics(consumer, settings: settings)
        offsets = OffsetStore(group: settings.effectiveGroupID)
    }

    /// The consumers of the group that run.
    ///
    /// One that was killed counts as running for up to ten seconds.
    /// - Returns: The consumers, those that have run for the longest first.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if the tables are missing, and as for a transaction.
    package func runningConsumers() async throws -> [RunningConsumer] {
        try await database.transaction(.snapshot) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            return try RunningConsumer.all(of: offsets.group, in: &transaction)
        }
    }

    /// Moves the stored offsets of a topic.
    ///
    /// Failures that were recorded at the new position or behind it are forgotten, because their messages are delivered
    /// again; those before it stay. What the replica remembers of destroyed records stays. That messages of the partitions
    /// were missed is forgotten.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - partition: The partition's number; nil for all of them.
    ///   - target: The place to go on at; of a time, the first message that is not older.
    ///   - forgetsEvents: Whether the topic's event log forgets the events from the new position on, so that they are applied and
    ///     handled once more. Otherwise what it has counts as handled, and changes nothing when it is delivered again.
    ///   - force: Whether the offsets are moved also while a consumer of the group runs. It finds out when it next writes,
    ///     applies nothing from its old place, and goes on at the new one.
    /// - Returns: What was moved, in the order of the partitions.
    /// - Throws: ``/Dionysus/DionysusError``: `conflict` while a consumer of the group runs; `unknownTopic` for a topic
    ///   that isn't consumed or doesn't exist; `offsetOutOfRange` for an offset that a partition doesn't have;
    ///   `declaration` if the tables are missing; and what the database and the broker throw. Nothing has been moved then.
    @discardableResult
    public func reset(
        _ topic: String,
        partition: Int32? = nil,
        to target: StartPosition = .earliest,
        forgetsEvents: Bool = false,
        force: Bool = false
    ) async throws -> [PositionReset] {
        try requireConsumed(topic)
        let places = try await resolve(target, in: try await partitions(of: topic, partition))
        let hasEventLog = topics[topic].eventIdentity != nil
        return try await database.transaction(.write) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            if !force { try Self.requireNobody(of: offsets.group, in: &transaction) }
            let stored = try offsets.load([topic], in: &transaction)
            var resets: [PositionReset] = []
            for (partition, offset) in places.sorted(by: { $0.key < $1.key }) {
                try offsets.move(partition, to: offset, in: &transaction)
                let events =
                    hasEventLog
                    ? try offsets.events(of: partition, from: offset, forgetting: forgetsEvents, in: &transaction) : 0
                resets.append(
                    PositionReset(
                        partition: partition,
                        from: stored[partition]?.next,
                        to: offset,
                        failuresForgotten: try offsets.forgetFailures(of: partition, from: offset, in: &transaction),
                        eventsForgotten: forgetsEvents ? events : 0,
                        eventsKept: forgetsEvents ? 0 : events
                    )
                )
            }
            try LogLosses(group: offsets.group).forget(topic, partition, in: &transaction)
            return resets
        }
    }

    func requireConsumed(_ topic: String) throws {
        guard !topics.contains(topic) else { return }
        throw DionysusError(
            .unknownTopic,
            "the topic \(topic) is not consumed",
            advice: "name one of \(topics.names.sorted().joined(separator: ", "))"
        )
    }

    func partitions(of topic: String, _ partition: Int32?) async throws -> [TopicPartition] {
        guard let description = try await broker.describeTopics([topic]).first else {
            throw DionysusError(
                .unknownTopic,
                "the topic \(topic) does not exist at \(broker.location)",
                advice: "create it, or correct its name"
            )
        }
        guard let partition else { return (0..<description.partitions).map { TopicPartition(topic, $0) } }
        guard (0..<description.partitions).contains(partition) else {
            throw DionysusError(
                .unknownTopic,
                "the topic \(topic) has no partition \(partition)",
                advice: "its partitions are 0 to \(description.partitions - 1)"
            )
        }
        return [TopicPartition(topic, partition)]
    }

    private func resolve(
        _ target: StartPosition,
        in partitions: [TopicPartition]
    ) async throws -> [TopicPartition: Int64] {
        let ranges = try await broker.offsets(of: partitions)
        if let unknown = partitions.first(where: { ranges[$0] == nil }) {
            throw DionysusError(
                .brokerUnavailable,
                "the broker at \(broker.location) does not tell the offsets of \(unknown)",
                advice: "try again when all its partitions can be read",
                isRetriable: true
            )
        }
        if case .offset(let offset) = target { try require(offset, in: ranges) }
        let offsets = try await broker.offsets(of: partitions.reduce(into: [:]) { $0[$1] = target }, in: ranges)
        guard offsets.count == partitions.count else {
            throw DionysusError(
                .brokerUnavailable,
                "the broker at \(broker.location) does not tell where all partitions stood at that time",
                advice: "try again, or name an offset",
                isRetriable: true
            )
        }
        return offsets
    }

    private func require(_ offset: Int64, in ranges: [TopicPartition: OffsetRange]) throws {
        let outside = ranges.filter { !($0.value.first...$0.value.next).contains(offset) }.sorted { $0.key < $1.key }
        guard !outside.isEmpty else { return }
        let list = outside.map { "\($0.key) holds \($0.value.first) up to \($0.value.next)" }
        throw DionysusError(
            .offsetOutOfRange,
            "the offset \(offset) is not everywhere in the log: \(list.joined(separator: ", "))",
            advice: "name an offset that is, or one partition"
        )
    }

    static func requireTables(in transaction: inout Transaction) throws {
        for table in ConsumerMigrations.tables
        where try transaction.describe(table: table) == nil {
            throw DionysusError(
                .declaration,
                "there is no table \(table) in the replica's database",
                advice: "run migrate"
            )
        }
    }

    static func requireNobody(of group: String, in transaction: inout Transaction) throws {
        let running = try RunningConsumer.all(of: group, in: &transaction)
        guard !running.isEmpty else { return }
        let list = running.map { "\($0.process), seen at \($0.seenAt.iso8601(fractionDigits: 0))" }
        throw DionysusError(
            .conflict,
            "the group \(group) is being consumed by \(list.joined(separator: "; "))",
            advice: "stop it first; one that was killed is forgotten after \(Int(ConsumerPresence.lifetime)) s"
        )
    }
}

/// How one partition's position was moved.
public struct PositionReset: Sendable, Hashable {
    /// The partition.
    public let partition: TopicPartition
    /// The offset that was to be applied next; nil if none was stored.
    public let from: Int64?
    /// The offset that is applied next now.
    public let to: Int64
    /// How many recorded failures were forgotten, because their messages are delivered again.
    package let failuresForgotten: Int
    /// How many events the event log has forgotten, so that they are applied once more.
    package let eventsForgotten: Int
    /// How many events from the new position on the event log keeps: they change nothing when they are delivered again.
    package let eventsKept: Int
}
