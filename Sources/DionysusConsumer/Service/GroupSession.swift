import Dionysus
import Logging

/// A membership in the group: the partitions it owns, each with a worker.
struct GroupSession {
    let member: any MessageConsumer
    private let pipeline: ConsumerPipeline
    private let starts: StartingPositions
    private let claim: GroupClaim
    private let losses: LogLosses
    private let logger: Logger
    private let readAhead: ReadAhead
    private var workers: PartitionWorkers
    /// The partitions of which it isn't known yet that the log is the one that was read before.
    private var checks: [TopicPartition: LogCheck] = [:]
    /// Whether the group has given the member something to read.
    private(set) var isAssigned = false

    init(
        member: any MessageConsumer,
        pipeline: ConsumerPipeline,
        starts: StartingPositions,
        claim: GroupClaim,
        logger: Logger
    ) {
        let settings = pipeline.settings
        self.member = member
        self.pipeline = pipeline
        self.starts = starts
        self.claim = claim
        losses = LogLosses(group: settings.effectiveGroupID)
        self.logger = logger
        let readAhead = ReadAhead(messages: 2 * settings.batchSize, bytes: settings.queuedBytes)
        self.readAhead = readAhead
        workers = PartitionWorkers(member: member, pipeline: pipeline, readAhead: readAhead)
    }

    var telemetry: ConsumerTelemetry { pipeline.telemetry }

    private var settings: ConsumerSettings { pipeline.settings }

    private var database: any Database { pipeline.persister.database }

    /// How many bytes of messages are to be read at once.
    var allowance: Int { readAhead.allowance }

    /// Whether all messages that were read have been dealt with.
    var isIdle: Bool { workers.areIdle && checks.values.allSatisfy(\.isSettled) }

    /// Does what an event asks for.
    mutating func handle(_ event: ConsumerEvent) async throws {
        switch event {
        case .messages(let messages): try await hand(messages)
        case .reached(let ends): for (partition, end) in ends { reach(end, of: partition) }
        case .assigned(let partitions): try await start(partitions)
        case .revoked(let partitions):
            logger.info("giving back \(partitions.list)")
            await end(partitions)
            telemetry.revoked(partitions)
            // A log that can't be written for the moment must not end the consumer.
            try await pipeline.retry.run("give partitions back") { try await member.release(partitions) }
        case .lost(let partitions):
            logger.warning("lost \(partitions.list)")
            await abandon(partitions)
            telemetry.lost(partitions)
        case .outOfRange(let partition, let range): try await reposition(partition, range)
        }
    }

    /// Deals with workers that have ended by themselves.
    /// - Throws: What stops the consumer.
    mutating func attend() async throws {
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

    // MARK: The log

    /// Compares the log with what is stored of it, and drops the messages that this takes.
    /// - Returns: Whether messages are left.
    private mutating func compare(
        _ messages: inout ArraySlice<ConsumedMessage>,
        _ partition: TopicPartition
    ) async throws -> Bool {
        guard var check = checks[partition] else { return true }
        guard check.agrees(with: messages) else {
            let found =
                "the log of \(partition) was created anew: its message at offset \(check.mark.offset) is another "
                + "one than the replica has applied"
            try await lose(partition, .loss(found)) { [broker = starts.broker] in
                try await broker.offsets(of: [partition])[partition]?.first ?? 0
            }
            return false
        }
        messages = messages.drop { $0.offset < check.next }
        checks[partition] = messages.isEmpty ? check : nil
        return !messages.isEmpty
    }

    /// Messages were missed: the consumer ends, and remembers why, or goes on where the log begins.
    private mutating func lose(
        _ partition: TopicPartition,
        _ error: DionysusError,
        first: () async throws -> Int64
    ) async throws {
        guard settings.onOutOfRange == .earliest else {
            try await pipeline.retry.run("remember what was lost", for: partition) { [database, losses] in
                try await database.transaction(.write) { try losses.record(error, of: partition, in: &$0) }
            }
            throw error
        }
        telemetry.failed(error, to: "go on at the stored offset", partition)
        await end([partition])
        let first = try await pipeline.retry.run("find the beginning of the log", for: partition, first)
        try await goOn(partition, at: first)
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
    }

    /// A member has just been let in: whoever refuses to say what the group has committed will not for long.
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

    /// Another member of the group may have found out already that messages were missed.
    private func requireNoLoss(of partitions: [TopicPartition]) async throws {
        guard settings.onOutOfRange == .fail else { return }
        let found = try await pipeline.retry.run("look for what was lost") { [database, losses] in
            try await database.transaction(.snapshot) { try losses.load(in: &$0) }
        }
        let ours = found.filter { partitions.contains($0.partition) }
        if !ours.isEmpty { throw LogLosses.Loss.error(ours) }
    }

    /// Tells the broker whose the partitions are, before anything of them has been applied.
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

    private func start(at stored: StoredPosition?) -> StartPosition {
        stored.map { .offset($0.next) } ?? .earliest
    }

    private func load(_ partitions: [TopicPartition]) async throws -> [TopicPartition: StoredPosition] {
        let topics = Set(partitions.map(\.topic)).sorted()
        return try await pipeline.retry.run("load offsets") {
            try await starts.load(topics)
        }
    }

    /// Lets a new worker go on elsewhere.
    private mutating func restart(
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

    private mutating func reposition(_ partition: TopicPartition, _ range: OffsetRange) async throws {
        guard let worker = workers[partition] else { return }
        let stored = try await load([partition])[partition]
        if let stored, let check = checks[partition], check.mark.offset < range.first, stored.next >= range.first,
            stored.next <= range.next
        {
            // The message that was applied last is no longer kept, but those behind it are.
            await end([partition])
            return try await restart(partition, from: stored, at: start(at: stored))
        }
        if let stored, (range.first...range.next).contains(stored.next) {
            // A broker that has just become the leader may not know at once how far its log goes.
            logger.warning("the broker did not know offset \(stored.next) of \(partition), but has it: asking again")
            await end([partition])
            // The batch that was being written may have moved the offset.
            let now = try await load([partition])[partition]
            return try await restart(partition, from: now, at: start(at: now))
        }
        let found =
            "the log of \(partition) holds the offsets from \(range.first) up to \(range.next), not "
            + (stored ?? worker.start).description
        try await lose(partition, .loss(found)) { range.first }
    }

    /// Moves the stored offset to where the log begins, and goes on there.
    private mutating func goOn(_ partition: TopicPartition, at first: Int64) async throws {
        guard let stored = try await load([partition])[partition] else {
            return try await restart(partition, from: nil, at: .offset(first))
        }
        let moved = StoredPosition(next: first, lanes: stored.lanes)
        let offsets = pipeline.persister.offsets
        let isMoved = try await pipeline.retry.run("move the offset", for: partition) {
            try await database.write {
                try offsets.restart(partition, from: stored, at: moved, isElsewhere: true, in: &$0)
                    ? .commit(true) : .rollBack(false)
            }
        }
        guard !isMoved else { return try await restart(partition, from: moved, at: .offset(first)) }
        // Another member has moved it meanwhile.
        let other = try await load([partition])[partition]
        try await restart(partition, from: other, at: start(at: other))
    }

    // MARK: Endings

    /// Stops workers once their current batch is done.
    private mutating func end(_ partitions: [TopicPartition]) async {
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

extension StoredPosition? {
    fileprivate var description: String { map { String($0.next) } ?? "the start" }
}
