import Dionysus
import Logging

/// A membership in the group: the partitions it owns, and where each of them stands.
struct ConsumerSession {
    let member: any MessageConsumer
    let pipeline: ConsumerPipeline
    let database: any Database
    let offsets: OffsetStore
    let settings: ConsumerSettings
    let retry: RetryLoop
    let telemetry: ConsumerTelemetry
    let logger: Logger
    /// The stored offsets of the partitions that are owned; nil within for those of which none is stored.
    private var positions: [TopicPartition: Int64?] = [:]

    init(
        member: any MessageConsumer,
        pipeline: ConsumerPipeline,
        database: any Database,
        settings: ConsumerSettings,
        retry: RetryLoop,
        telemetry: ConsumerTelemetry,
        logger: Logger
    ) {
        self.member = member
        self.pipeline = pipeline
        self.database = database
        offsets = OffsetStore(group: settings.effectiveGroupID)
        self.settings = settings
        self.retry = retry
        self.telemetry = telemetry
        self.logger = logger
    }

    /// Does what an event asks for.
    mutating func handle(_ event: ConsumerEvent) async throws {
        switch event {
        case .messages(let messages): try await process(messages)
        case .assigned(let partitions): try await start(partitions)
        case .revoked(let partitions):
            logger.info("giving back \(partitions.list)")
            forget(partitions)
            telemetry.revoked(partitions)
            try await member.release(partitions)
        case .lost(let partitions):
            logger.warning("lost \(partitions.list)")
            forget(partitions)
            telemetry.lost(partitions)
        case .outOfRange(let partition, let range): try await reposition(partition, range)
        }
    }

    private mutating func forget(_ partitions: [TopicPartition]) {
        for partition in partitions { positions[partition] = nil }
    }

    private mutating func start(_ partitions: [TopicPartition]) async throws {
        logger.info("reading \(partitions.list)")
        let stored = try await load(partitions)
        var starts: [TopicPartition: StartPosition] = [:]
        for partition in partitions {
            positions[partition] = .some(stored[partition])
            starts[partition] = start(of: partition, stored[partition])
        }
        try await member.start(starts)
        telemetry.assigned(starts)
    }

    private func start(of partition: TopicPartition, _ stored: Int64?) -> StartPosition {
        stored.map(StartPosition.offset) ?? pipeline.topics[partition.topic].start
    }

    private func load(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        let topics = Set(partitions.map(\.topic)).sorted()
        return try await retry.run("load offsets") {
            try await database.transaction(.snapshot) { [offsets] in try offsets.load(topics, in: &$0) }
        }
    }

    /// Works on the partitions of a poll at the same time; each of them keeps its order.
    private mutating func process(_ messages: [ConsumedMessage]) async throws {
        let owned = Dictionary(grouping: messages, by: \.source)
            .compactMap { partition, messages in
                positions[partition]
                    .flatMap { stored in PartitionBatch(partition, messages).map { (batch: $0, stored: stored) } }
            }
        let outcomes = await outcomes(of: owned)
        var committed: [TopicPartition: Int64] = [:]
        for (partition, outcome) in outcomes {
            switch outcome {
            case .success(let stored):
                positions[partition] = .some(stored)
                committed[partition] = stored
            case .failure(is PositionLost): try await resume(partition)
            case .failure: continue
            }
        }
        await commit(committed)
        for case .failure(let error) in outcomes.map(\.result) where !(error is PositionLost) { throw error }
    }

    private typealias Work = (batch: PartitionBatch, stored: Int64?)
    private typealias Outcome = (partition: TopicPartition, result: Result<Int64?, any Error>)

    /// A failure of one partition does not keep the others from finishing their batch.
    private func outcomes(of work: [Work]) async -> [Outcome] {
        await withTaskGroup(of: Outcome.self) { group in
            var waiting = work.sorted { $0.batch.partition < $1.batch.partition }.makeIterator()
            for _ in 0..<settings.concurrency {
                if let next = waiting.next() { group.addTask { [pipeline] in await Self.process(next, pipeline) } }
            }
            var outcomes: [Outcome] = []
            while let outcome = await group.next() {
                outcomes.append(outcome)
                if let next = waiting.next() { group.addTask { [pipeline] in await Self.process(next, pipeline) } }
            }
            return outcomes
        }
    }

    private static func process(_ work: Work, _ pipeline: ConsumerPipeline) async -> Outcome {
        do {
            return (work.batch.partition, .success(try await pipeline.process(work.batch, from: work.stored)))
        } catch {
            return (work.batch.partition, .failure(error))
        }
    }

    /// Goes on where the database says, after somebody else has moved the offset.
    private mutating func resume(_ partition: TopicPartition) async throws {
        let stored = try await load([partition])[partition]
        logger.warning("the offset of \(partition) was moved by another member: going on at \(stored.description)")
        positions[partition] = .some(stored)
        telemetry.moved(partition, to: start(of: partition, stored))
        try await member.seek(partition, to: start(of: partition, stored))
    }

    private mutating func reposition(_ partition: TopicPartition, _ range: OffsetRange) async throws {
        guard let stored = positions[partition] else { return }
        let error = DionysusError(
            .offsetOutOfRange,
            "the log of \(partition) holds the offsets from \(range.first) up to \(range.next), not \(stored.description)",
            advice: "messages may have been missed; publish the models again, and reset the topic or choose to go on "
                + "at the earliest message"
        )
        switch settings.onOutOfRange {
        case .fail: throw error
        case .earliest:
            telemetry.failed(error, to: "go on at the stored offset", partition)
            try await member.seek(partition, to: .offset(range.first))
        }
    }

    /// Tells the broker, for tools that show lag.
    ///
    /// The position that counts is the stored one.
    private func commit(_ offsets: [TopicPartition: Int64]) async {
        guard !offsets.isEmpty else { return }
        do {
            try await member.commit(offsets)
        } catch {
            telemetry.failed(error, to: "tell the broker the group's offsets")
        }
    }
}

extension [TopicPartition] {
    fileprivate var list: String { sorted().map(\.description).joined(separator: ", ") }
}

extension Int64? {
    fileprivate var description: String { map(String.init) ?? "the start" }
}
