package import Dionysus

/// How far a partition's replica is behind the log.
package struct PartitionLag: Sendable, Hashable {
    /// The partition.
    package let partition: TopicPartition
    /// The offset that the next message will get.
    package let endOffset: Int64
    /// The offset that is applied next.
    package let position: Int64

    /// The bounds of the partition.
    let range: OffsetRange

    /// How old the oldest message is that is still to be applied; zero if there is none.
    ///
    /// Where the broker does not tell that, how long the position has stood still; nil if it was never moved, or is not in
    /// the log.
    package let age: Duration?

    /// What a consumer has found to be missing from the log, in words; nil if nothing was found.
    ///
    /// No consumer of the group goes on before the topic is reset or the loss accepted.
    package let loss: String?

    /// How many messages are still to be applied; nil if the position is not in the log.
    package var lag: Int64? { isOutOfRange ? nil : endOffset - position }

    /// Whether the position is not in the log: its messages are no longer kept, or the topic was created anew.
    package var isOutOfRange: Bool { loss != nil || !(range.first...range.next).contains(position) }

    /// Whether nothing is still to be applied.
    var isCaughtUp: Bool { lag == 0 }
}

/// Compares the stored offsets of a group with the log.
package struct ConsumerLag: Sendable {
    private let database: any Database
    private let broker: any MessageBroker
    private let topics: ConsumedTopics
    private let offsets: OffsetStore

    /// Creates the comparison.
    package init(
        _ consumer: some Consumer,
        database: any Database,
        broker: any MessageBroker,
        settings: ConsumerSettings
    ) {
        self.database = database
        self.broker = broker
        topics = ConsumedTopics(consumer, settings: settings)
        offsets = OffsetStore(group: settings.effectiveGroupID)
    }

    /// The lag of every partition of every declared topic, whoever owns it.
    ///
    /// Topics that don't exist have no partitions.
    /// - Throws: What the database and the broker throw.
    package func partitions() async throws -> [PartitionLag] {
        let partitions = try await topics.partitions(on: broker)
        let names = Set(partitions.map(\.topic)).sorted()
        guard !partitions.isEmpty else { return [] }
        let ranges = try await broker.offsets(of: partitions)
        let (stored, moved, found) = try await database.transaction(.snapshot) { [offsets] transaction in
            let losses = try LogLosses(group: offsets.group).load(in: &transaction)
            return (
                try offsets.load(names, in: &transaction), try offsets.lastMoves(in: &transaction),
                Dictionary(losses.map { ($0.partition, $0.message) }, uniquingKeysWith: { $1 })
            )
        }
        let known = Set(stored.keys.map(\.topic))
        // A partition that appears later is read from its beginning.
        let starts = try await broker.offsets(
            of: ranges.filter { stored[$0.key] == nil }
                .reduce(into: [:]) {
                    $0[$1.key] = known.contains($1.key.topic) ? .earliest : topics[$1.key.topic].start
                },
            in: ranges
        )
        let positions = starts.merging(stored.mapValues(\.next)) { $1 }
        let behind = positions.filter { partition, position in
            ranges[partition].map { position >= $0.first && position < $0.next } ?? false
        }
        let times = try await broker.timestamps(of: behind)
        let now = Timestamp.now
        return partitions.sorted()
            .compactMap { partition in
                guard let range = ranges[partition], let position = positions[partition] else { return nil }
                let since = times[partition] ?? moved[partition]
                let age = since.map { Duration.microseconds(max(now.microseconds(since: $0), 0)) }
                let loss = found[partition]
                let isKnown = loss == nil && (range.first...range.next).contains(position)
                return PartitionLag(
                    partition: partition,
                    endOffset: range.next,
                    position: position,
                    range: range,
                    age: !isKnown ? nil : position == range.next ? .zero : age,
                    loss: loss
                )
            }
    }
}
