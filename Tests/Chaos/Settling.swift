import Dionysus
import Foundation

/// Waits until the system has settled.
struct Settling {
    /// How long a system that doesn't recover in time is observed, to distinguish slow from stuck.
    private static let overtime = Duration.seconds(45)

    let system: System

    /// Waits until both groups apply messages before a fault that deletes messages: a group that has applied nothing of
    /// a partition would start with the rest, and miss nothing.
    /// - Returns: The violations.
    func begin(within limit: Duration) async throws -> [String] {
        let deadline = ContinuousClock.now + limit
        while .now < deadline {
            let offsets = try await readers.asyncMap { try await positions(of: $0.database) }
            if offsets.allSatisfy({ $0[System.forgettingPartition, default: 0] > 0 }) { return [] }
            try await Task.sleep(for: .milliseconds(100))
        }
        return ["nothing was applied within \(limit.inSeconds) s of the start"]
    }

    /// Waits until all writes have been published and applied.
    /// - Returns: The violations at the deadline.
    func end(by deadline: ContinuousClock.Instant) async throws -> [String] {
        let start = ContinuousClock.now
        while true {
            var open: String?
            do { open = try await openWork() } catch { open = "a state that can't be read: \(error)" }
            let late = ContinuousClock.now - deadline
            guard let open else {
                guard late > .zero else { return [] }
                return [
                    "recovery took \(late.inSeconds) s longer than the limit of \((deadline - start).inSeconds) s"
                ]
            }
            if late > Self.overtime {
                return ["\(late.inSeconds) s after the time for recovery there is still \(open)"]
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// The remaining work; nil if there is none.
    private func openWork() async throws -> String? {
        if let pending = try await pendingRows() { return pending }
        let broker = try system.openBroker()
        defer { Task { await broker.close() } }
        let topics = try await broker.describeTopics(Counting.topics)
        let partitions = topics.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
        let ranges = try await broker.offsets(of: partitions)
        for reader in readers {
            let positions = try await positions(of: reader.database)
            let behind = ranges.filter { $0.key.topic != reader.leavesOut }
                .reduce(0) { $0 + $1.value.next - max(positions[$1.key] ?? 0, $1.value.first) }
            if behind > 0 { return "\(behind) messages to apply by the \(reader.what)" }
        }
        return nil
    }

    /// The unpublished rows, and the lanes' low-water marks.
    private func pendingRows() async throws -> String? {
        try await system.source.transaction(.snapshot) { transaction in
            let rows =
                try transaction.run(
                    """
                    SELECT id, resource_class || ':' || resource_id, event_name, coalesce(partition_key, '-'), attempts,
                      coalesce(origin, '-')
                    FROM dionysus_outboxes WHERE published_at IS NULL ORDER BY id
                    """
                )
                .rows
            guard !rows.isEmpty else {
                // A run that has just started has written no rows yet.
                let runs = try transaction.run("SELECT id FROM dionysus_genesis_runs WHERE state = 'running'").count
                return runs == 0 ? nil : "\(runs) genesis runs to be finished"
            }
            let marks = try transaction.run("SELECT low_water FROM dionysus_lanes ORDER BY lane").rows
            return "\(rows.count) rows to publish: \(rows.prefix(10)), low-water marks \(marks)"
        }
    }

    private var readers: [(database: String, what: String, leavesOut: String)] {
        [
            (system.places.directReplica, "replica", "v3_accounts_genesis"),
            (system.places.directCounts, "counter", ""),
        ]
    }

    private func positions(of database: String) async throws -> [TopicPartition: Int64] {
        let database = try System.open(database)
        let stored = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT topic, \"partition\", next_offset FROM dionysus_offsets").rows
                .map { (TopicPartition(try $0.text(0) ?? "", Int32(try $0.integer(1) ?? 0)), try $0.integer(2) ?? 0) }
        }
        await database.close()
        return Dictionary(stored, uniquingKeysWith: { $1 })
    }
}

extension Array {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async throws -> [T] {
        var result: [T] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }
}
