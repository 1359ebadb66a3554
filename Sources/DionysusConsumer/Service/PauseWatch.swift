import Dionysus

/// The partitions that operators have paused, as a session knows them.
struct PauseWatch: Sendable {
    /// How often they are looked at.
    private static let interval = Duration.seconds(1)

    /// Those of the group.
    private(set) var ofGroup: Set<TopicPartition> = []
    /// Those that the session owns and has stopped.
    var stopped: Set<TopicPartition> = []
    private var lastLook: ContinuousClock.Instant?

    /// Whether it is time to look at them again.
    var isDue: Bool { lastLook.map { .now - $0 >= Self.interval } ?? true }

    mutating func note(_ paused: [PausedPartition]) {
        ofGroup = Set(paused.map(\.partition))
        lastLook = .now
    }
}

/// What a session does about partitions that are paused and resumed.
extension GroupSession {
    /// Stops and goes on as operators want it.
    mutating func followPauses() async throws {
        let paused = try await pipeline.retry.run("look for paused partitions") { [database, settings] in
            try await database.transaction(.snapshot) {
                try PartitionPauses(group: settings.effectiveGroupID).load(in: &$0)
            }
        }
        pauses.note(paused)
        let stopping = workers.partitions.filter { pauses.ofGroup.contains($0) }
        if !stopping.isEmpty {
            logger.notice("paused: \(stopping.sorted().map(\.description).joined(separator: ", "))")
            await end(stopping)
            pauses.stopped.formUnion(stopping)
            // What comes of them until then has no worker, and is read again.
            try await member.pause(stopping)
        }
        for partition in pauses.stopped.subtracting(pauses.ofGroup).sorted() {
            logger.notice("resumed: \(partition)")
            pauses.stopped.remove(partition)
            try await resume(partition)
        }
    }

    /// Goes on where the partition's offset is now, and compares the log with what was read of it before.
    private mutating func resume(_ partition: TopicPartition) async throws {
        let stored = try await load([partition])[partition]
        let check = LogCheck(stored)
        let position = check.map { .offset($0.mark.offset) } ?? start(at: stored)
        try await restart(partition, from: stored, at: position)
        checks[partition] = check
    }
}
