import Dionysus
import Logging

/// A membership in the group: the partitions it owns, and where each of them stands.
struct ConsumerSession {
    let member: any MessageConsumer
    let pipeline: ConsumerPipeline
    let starts: StartingPositions
    let settings: ConsumerSettings
    let retry: RetryLoop
    let logger: Logger
    /// The stored offsets of the partitions that are owned; nil within for those of which none is stored.
    private var positions: [TopicPartition: Int64?] = [:]

    init(
        member: any MessageConsumer,
        pipeline: ConsumerPipeline,
        starts: StartingPositions,
        settings: ConsumerSettings,
        retry: RetryLoop,
        logger: Logger
    ) {
        self.member = member
        self.pipeline = pipeline
        self.starts = starts
        self.settings = settings
        self.retry = retry
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
            try await member.release(partitions)
        case .lost(let partitions):
            logger.warning("lost \(partitions.list)")
            forget(partitions)
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
            starts[partition] = start(stored[partition])
        }
        // A place that is given by a time is the broker's to find, which may be away.
        try await retry.run("starting to read") { [starts] in try await member.start(starts) }
    }

    private func start(_ stored: Int64?) -> StartPosition {
        stored.map(StartPosition.offset) ?? .earliest
    }

    private func load(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        let topics = Set(partitions.map(\.topic)).sorted()
        return try await retry.run("loading offsets") {
            try await starts.load(topics)
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
        try await member.seek(partition, to: start(stored))
    }

    private mutating func reposition(_ partition: TopicPartition, _ range: OffsetRange) async throws {
        guard let stored = positions[partition] else { return }
        let error = DionysusError(
            .offsetOutOfRange,
            "the log of \(partition) holds the offsets from \(range.first) up to \(range.next), not \(stored.description)",
            advice: "messages may have been missed; publish the models again, and reset the topic or choose to go on "
                + "at the earliest message"
        )
        logger.error("\(error)")
        switch settings.onOutOfRange {
        case .fail: throw error
        case .earliest: try await member.seek(partition, to: .offset(range.first))
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
            logger.warning("the broker was not told of the group's offsets: \(error)")
        }
    }
}

extension [TopicPartition] {
    fileprivate var list: String { sorted().map(\.description).joined(separator: ", ") }
}

extension Int64? {
    fileprivate var description: String { map(String.init) ?? "the start" }
}
