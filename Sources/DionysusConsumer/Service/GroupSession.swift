import Dionysus
import Logging

/// A membership in the group: the partitions it owns, each with a worker.
struct GroupSession {
    let member: any MessageConsumer
    let pipeline: ConsumerPipeline
    let starts: StartingPositions
    private let claim: GroupClaim
    let losses: LogLosses
    let logger: Logger
    private let readAhead: ReadAhead
    var workers: PartitionWorkers
    /// The partitions of which it isn't known yet that the log is the one that was read before.
    var checks: [TopicPartition: LogCheck] = [:]
    /// What operators have paused.
    let pauses: PauseBoard
    /// The partitions that it owns and has stopped for that.
    var stopped: Set<TopicPartition> = []
    /// Whether the group has given the member something to read.
    private(set) var isAssigned = false

    init(
        member: any MessageConsumer,
        pipeline: ConsumerPipeline,
        starts: StartingPositions,
        claim: GroupClaim,
        pauses: PauseBoard,
        logger: Logger
    ) {
        let settings = pipeline.settings
        self.member = member
        self.pipeline = pipeline
        self.starts = starts
        self.claim = claim
        self.pauses = pauses
        losses = LogLosses(group: settings.effectiveGroupID)
        self.logger = logger
        let readAhead = ReadAhead(messages: 2 * settings.batchSize, bytes: settings.queuedBytes)
        self.readAhead = readAhead
        workers = PartitionWorkers(member: member, pipeline: pipeline, readAhead: readAhead)
    }

    var telemetry: ConsumerTelemetry { pipeline.telemetry }

    var settings: ConsumerSettings { pipeline.settings }

    var database: any Database { pipeline.persister.database }

    /// How many bytes of messages are to be read at once.
    var allowance: Int { readAhead.allowance }

    /// Whether all messages that were read have been applied or parked.
    var isIdle: Bool { workers.areIdle && checks.values.allSatisfy(\.isSettled) }

    /// Handles an event of the membership.
    mutating func handle(_ event: ConsumerEvent) async throws {
        switch event {
        case .messages(let messages): try await hand(messages)
        case .reached(let ends): for (partition, end) in ends { reach(end, of: partition) }
        case .assigned(let partitions): try await start(partitions)
        case .revoked(let partitions):
            logger.info("giving back \(partitions.list)")
            await end(partitions)
            stopped.subtract(partitions)
            telemetry.revoked(partitions)
            // A log that can't be written for the moment must not end the consumer.
            try await pipeline.retry.run("give partitions back") { try await member.release(partitions) }
        case .lost(let partitions):
            logger.warning("lost \(partitions.list)")
            await abandon(partitions)
            stopped.subtract(partitions)
            telemetry.lost(partitions)
        case .outOfRange(let partition, let range): try await reposition(partition, range)
        }
    }

    /// Handles workers that have ended by themselves, and what operators have paused.
    /// - Throws: What stops the consumer.
    mutating func attend() async throws {
        try await followPauses()
        for report in await workers.takeReports() {
            if case .failed(let error) = report.reason { throw error }
            let stored = try await load([report.partition])[report.partition]
            logger.warning(
                "the offset of \(report.partition) was moved by another member: going on at \(stored.description)"
            )
            try await restart(report.partition, from: stored, at: start(at: stored))
        }
    }

    /// Ends the work on all partitions once their current batches are done.
    mutating func close() async {
        checks = [:]
        await workers.close()
    }

    // MARK: Messages

    private mutating func hand(_ messages: [ConsumedMessage]) async throws {
        var rest = messages[...]
        var delivered: Set<TopicPartition> = []
        while let partition = rest.first?.source {
            var share = rest.prefix { $0.source == partition }
            rest = rest[share.endIndex...]
            guard try await compare(&share, partition) else { continue }
            guard let queue = workers[partition]?.queue else { continue }
            queue.append(Array(share))
            delivered.insert(partition)
        }
        let full = readAhead.hold(delivered: delivered)
        guard !full.isEmpty else { return }
        try await member.pause(full)
        // A worker may have asked to go on before the pause took effect.
        let free = full.filter { !readAhead.isHeld($0) }
        if !free.isEmpty { try await member.resume(free) }
    }

    private mutating func reach(_ end: Int64, of partition: TopicPartition) {
        if var check = checks[partition] {
            check.giveUp()
            checks[partition] = end > check.next ? nil : check
            if end <= check.next { return }
        }
        workers[partition]?.queue.reached(end)
    }

    // MARK: Partitions

    private mutating func start(_ partitions: [TopicPartition]) async throws {
        logger.info("reading \(partitions.list)")
        isAssigned = true
        let committed = try await lookAtGroup()
        try await requireNoLoss(of: partitions)
        let stored = try await load(partitions)
        var starts: [TopicPartition: StartPosition] = [:]
        for partition in partitions {
            workers.run(partition, from: stored[partition])
            starts[partition] = start(at: stored[partition])
            checks[partition] = LogCheck(stored[partition])
        }
        let places = starts.merging(checks.filter { starts[$0.key] != nil }.mapValues { .offset($0.mark.offset) }) {
            $1
        }
        // A place that is given by a time is the broker's to find, which may be away.
        try await pipeline.retry.run("start reading") { try await member.start(places) }
        telemetry.assigned(starts)
        await claim(partitions, stored, committed)
        try await lookAtPauses()
    }

    /// The broker has just admitted the member, so a refusal to show the group's offsets will not last.
    private func lookAtGroup() async throws -> [TopicPartition: CommittedPosition] {
        while true {
            do {
                return try await pipeline.retry.run("look at the group's offsets") { [claim] in try await claim.check()
                }
            } catch let error as DionysusError where error.code == .accessDenied {
                try await pipeline.retry.pause(afterFailures: 1)
            }
        }
    }

    /// Another member of the group may already have found that messages were missed.
    private func requireNoLoss(of partitions: [TopicPartition]) async throws {
        guard settings.onOutOfRange == .fail else { return }
        let found = try await pipeline.retry.run("look for what was lost") { [database, losses] in
            try await database.transaction(.snapshot) { try losses.load(in: &$0) }
        }
        let ours = found.filter { partitions.contains($0.partition) }
        if !ours.isEmpty { throw LogLosses.Loss.error(ours) }
    }

    /// Tells the broker which replica owns the partitions, before any of their messages is applied.
    private func claim(
        _ partitions: [TopicPartition],
        _ stored: [TopicPartition: StoredPosition],
        _ committed: [TopicPartition: CommittedPosition]
    ) async {
        let unclaimed = partitions.filter { committed[$0]?.metadata != claim.identity.metadata }
        guard !unclaimed.isEmpty else { return }
        do {
            let unknown = unclaimed.filter { stored[$0] == nil }
            let ranges = unknown.isEmpty ? [:] : try await starts.broker.offsets(of: unknown)
            let offsets = unclaimed.reduce(into: [:]) { offsets, partition in
                offsets[partition] = stored[partition]?.next ?? ranges[partition]?.first
            }
            try await member.commit(offsets)
        } catch {
            // The first batch tells it.
            telemetry.failed(error, to: "tell the broker the group's offset")
        }
    }

    func start(at stored: StoredPosition?) -> StartPosition {
        stored.map { .offset($0.next) } ?? .earliest
    }

    func load(_ partitions: [TopicPartition]) async throws -> [TopicPartition: StoredPosition] {
        let topics = Set(partitions.map(\.topic)).sorted()
        return try await pipeline.retry.run("load offsets") {
            try await starts.load(topics)
        }
    }

    /// Lets a new worker go on elsewhere.
    mutating func restart(
        _ partition: TopicPartition,
        from stored: StoredPosition?,
        at position: StartPosition
    ) async throws {
        try await pipeline.retry.run("go on reading", for: partition) { [member] in
            try await member.seek(partition, to: position)
        }
        telemetry.moved(partition, to: position)
        checks[partition] = nil
        workers.run(partition, from: stored)
        try await member.resume([partition])
    }

    // MARK: Endings

    /// Stops workers once their current batch is done.
    mutating func end(_ partitions: [TopicPartition]) async {
        for partition in partitions { checks[partition] = nil }
        await workers.end(partitions)
    }

    /// Another member may own the partitions already.
    private mutating func abandon(_ partitions: [TopicPartition]) async {
        for partition in partitions { checks[partition] = nil }
        await workers.abandon(partitions)
    }
}

extension [TopicPartition] {
    fileprivate var list: String { sorted().map(\.description).joined(separator: ", ") }
}
