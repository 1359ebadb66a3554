import Dionysus
import Logging

/// How many messages of a dead-letter topic were applied, recorded and left out.
public struct DeadLetterReplay: Sendable, Hashable {
    /// How many have been applied.
    public internal(set) var applied = 0
    /// How many have failed again and are recorded in the database.
    public internal(set) var recorded = 0
    /// How many are no failures of this group, and were left out.
    public internal(set) var foreign = 0
}

/// Reads a dead-letter topic to its present end, and applies what it holds.
///
/// Its own group's offsets are stored in the transactions of the data, so that each message is replayed
/// once however often it is started.
struct DeadLetterReader {
    let topic: String
    let pipeline: ConsumerPipeline
    let database: any Database
    let broker: any MessageBroker
    let settings: ConsumerSettings
    let logger: Logger
    private var summary = DeadLetterReplay()
    /// The stored place in each partition that is owned.
    private var places: [TopicPartition: OffsetCursor] = [:]
    /// The ends of the partitions that are still to be reached.
    private var rest: [TopicPartition: OffsetRange] = [:]

    init(
        topic: String,
        pipeline: ConsumerPipeline,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings,
        logger: Logger
    ) {
        self.topic = topic
        self.pipeline = pipeline
        self.database = database
        self.broker = broker
        self.settings = settings
        self.logger = logger
    }

    private var positions: OffsetStore { OffsetStore(group: "\(settings.effectiveGroupID)_dead_letters") }

    mutating func run() async throws -> DeadLetterReplay {
        guard let description = try await broker.describeTopics([topic]).first else {
            throw DionysusError(.unknownTopic, "there is no topic \(topic)")
        }
        let partitions = (0..<description.partitions).map { TopicPartition(topic, $0) }
        let stored = try await load()
        rest = try await broker.offsets(of: partitions)
            .filter { partition, range in range.next > max(range.first, stored[partition] ?? 0) }
        guard !rest.isEmpty else { return summary }
        let member = try await broker.makeConsumer(
            ConsumerOptions(
                clientID: settings.clientID,
                partitions: rest.keys.sorted(),
                settings: settings.brokerSettings,
                maxBufferedBytes: settings.bufferedBytes
            )
        )
        try await closing({ await member.close() }) { try await read(member) }
        return summary
    }

    private mutating func read(_ member: any MessageConsumer) async throws {
        while !rest.isEmpty {
            let limit = settings.queuedBytes
            switch try await member.next(
                maxMessages: settings.batchSize,
                maxBytes: limit,
                timeout: .seconds(60)
            ) {
            case .assigned(let partitions):
                let stored = try await load()
                for partition in partitions { places[partition] = OffsetCursor(partition, stored: stored[partition]) }
                let starts = partitions.map { ($0, stored[$0].map(StartPosition.offset) ?? .earliest) }
                try await member.start(Dictionary(uniqueKeysWithValues: starts))
            case .messages(let messages):
                for message in messages { try await replay(message) }
            case .reached(let ends):
                for (partition, end) in ends { finish(partition, upTo: end) }
            case .revoked(let partitions):
                forget(partitions)
                try await member.release(partitions)
            case .lost(let partitions): forget(partitions)
            case .outOfRange(let partition, let range):
                logger.warning("messages of \(partition) are gone: going on at offset \(range.first)")
                try await member.seek(partition, to: .offset(range.first))
            case nil:
                throw DionysusError(
                    .conflict,
                    "no message of \(topic) came for a minute, though there are some",
                    advice: "check the broker, and whether the topic still exists, and start again"
                )
            }
        }
    }

    private mutating func forget(_ partitions: [TopicPartition]) {
        for partition in partitions { places[partition] = nil }
    }

    private mutating func replay(_ received: ConsumedMessage) async throws {
        guard let place = places[received.source] else { return }
        let checkpoint = Checkpoint.replay(place, to: received.offset + 1, positions)
        guard try await apply(received, completing: checkpoint) else {
            throw DionysusError(.conflict, "somebody else replays \(topic)", advice: "wait until that has ended")
        }
        places[received.source]?.stored = received.offset + 1
        finish(received.source, upTo: received.offset + 1)
    }

    private mutating func finish(_ partition: TopicPartition, upTo next: Int64) {
        if let range = rest[partition], next >= range.next { rest[partition] = nil }
    }

    /// - Returns: Whether the place in the topic was still where this reader has moved it.
    private mutating func apply(_ received: ConsumedMessage, completing checkpoint: Checkpoint) async throws -> Bool {
        guard let letter = DeadLetter(received), isOurs(letter) else {
            guard try await complete(BatchWrite(checkpoint: checkpoint)) else { return false }
            summary.foreign += 1
            return true
        }
        do {
            guard case .done = try await pipeline.applyAgain(letter.message, completing: checkpoint) else {
                return false
            }
            summary.applied += 1
        } catch {
            guard let error = DionysusError(ofMessages: error), !error.isRetriable else { throw error }
            let described = DionysusError(once: letter.message, error)
            logger.error("a message of \(topic) failed again: \(described)")
            let failure = FailedMessage(message: letter.message, error: described, attempts: letter.attempts + 1)
            guard try await complete(BatchWrite(failures: [failure], checkpoint: checkpoint)) else { return false }
            summary.recorded += 1
        }
        return true
    }

    private func complete(_ write: BatchWrite) async throws -> Bool {
        if case .done = try await pipeline.persister.write(write) { true } else { false }
    }

    /// Whether a message failed in this group, as far as it says.
    private func isOurs(_ letter: DeadLetter) -> Bool {
        let isDeclared = pipeline.topics.contains(letter.message.source.topic)
        return isDeclared && (letter.group ?? settings.effectiveGroupID) == settings.effectiveGroupID
    }

    private func load() async throws -> [TopicPartition: Int64] {
        try await database.transaction(.snapshot) { [positions, topic] transaction in
            try positions.load([topic], in: &transaction).mapValues(\.next)
        }
    }
}
