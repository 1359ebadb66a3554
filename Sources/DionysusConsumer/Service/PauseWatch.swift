import Dionysus
import Synchronization

/// The partitions that operators have paused, as a consumer saw them last.
///
/// They are looked at whenever the consumer leaves its mark in the database, which it does in any case.
final class PauseBoard: Sendable {
    private let partitions = Mutex<Set<TopicPartition>>([])

    /// Those of the group.
    var paused: Set<TopicPartition> { partitions.withLock { $0 } }

    func note(_ paused: [PausedPartition]) { partitions.withLock { $0 = Set(paused.map(\.partition)) } }
}

/// What a session does about partitions that are paused and resumed.
extension GroupSession {
    /// Looks at what is paused now, and does as operators want it.
    mutating func lookAtPauses() async throws {
        let paused = try await pipeline.retry.run("look for paused partitions") { [database, settings] in
            try await database.transaction(.snapshot) {
                try PartitionPauses(group: settings.effectiveGroupID).load(in: &$0)
            }
        }
        pauses.note(paused)
        try await followPauses()
    }

    /// Stops and goes on as operators want it.
    mutating func followPauses() async throws {
        let paused = pauses.paused
        let stopping = workers.partitions.filter { paused.contains($0) }
        if !stopping.isEmpty {
            logger.notice("paused: \(stopping.sorted().map(\.description).joined(separator: ", "))")
            await end(stopping)
            stopped.formUnion(stopping)
            // What comes of them until then has no worker, and is read again.
            try await member.pause(stopping)
        }
        for partition in stopped.subtracting(paused).sorted() {
            logger.notice("resumed: \(partition)")
            stopped.remove(partition)
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
