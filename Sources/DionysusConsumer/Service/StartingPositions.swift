import Dionysus

/// Decides where partitions without a stored offset begin.
///
/// A topic that isn't read from its beginning is begun once: the place is stored for all its partitions at the same
/// time. So a restart doesn't leave out what came in between, and a partition that is added later is read from its
/// beginning.
struct StartingPositions: Sendable {
    let topics: ConsumedTopics
    let offsets: OffsetStore
    let database: any Database
    let broker: any MessageBroker

    /// The stored offsets of topics, after those that are begun now have been stored.
    ///
    /// A partition that has none afterwards is read from its beginning.
    /// - Throws: What the database and the broker throw.
    func load(_ names: [String]) async throws -> [TopicPartition: StoredPosition] {
        let stored = try await database.transaction(.snapshot) { [offsets] in try offsets.load(names, in: &$0) }
        let known = Set(stored.keys.map(\.topic))
        let new = names.filter { !known.contains($0) && topics[$0].start != .earliest }
        guard !new.isEmpty else { return stored }
        let places = try await places(of: new)
        return try await database.transaction(.write) { [offsets] transaction in
            // Another member may have begun them meanwhile; its choice counts.
            for (partition, offset) in places.sorted(by: { $0.key < $1.key }) {
                try offsets.establish(partition, at: offset, in: &transaction)
            }
            return try offsets.load(names, in: &transaction)
        }
    }

    private func places(of names: [String]) async throws -> [TopicPartition: Int64] {
        let topics = try await broker.describeTopics(names)
        let partitions = topics.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
        let ranges = try await broker.offsets(of: partitions)
        let starts = partitions.reduce(into: [:]) { $0[$1] = self.topics[$1.topic].start }
        let places = try await broker.offsets(of: starts, in: ranges)
        // What is left out now would be taken for a partition that was added later.
        guard topics.count == names.count, places.count == partitions.count else {
            throw DionysusError(
                .brokerUnavailable,
                "the broker at \(broker.location) does not tell where all partitions of \(names.joined(separator: ", ")) begin",
                isRetriable: true
            )
        }
        return places
    }
}

extension MessageBroker {
    /// The offsets of places in partitions whose bounds are known.
    /// - Throws: What the broker throws when it is asked for times.
    func offsets(
        of places: [TopicPartition: StartPosition],
        in ranges: [TopicPartition: OffsetRange]
    ) async throws -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        var times: [Timestamp: [TopicPartition]] = [:]
        for (partition, place) in places {
            switch place {
            case .earliest: offsets[partition] = ranges[partition]?.first
            case .latest: offsets[partition] = ranges[partition]?.next
            case .offset(let offset): offsets[partition] = offset
            case .time(let time): times[time, default: []].append(partition)
            }
        }
        for (time, partitions) in times {
            offsets.merge(try await self.offsets(of: partitions, at: time)) { $1 }
        }
        return offsets
    }
}
