import Dionysus

/// Which partitions are fetched while messages are so large that one of each would be more than fits in memory: a value
/// without I/O.
///
/// librdkafka fetches at least one message of each partition, however small the limit of the partition's queue is. So
/// as long as messages are larger than a partition's share of the memory, partitions are fetched in turns, a few at a
/// time: each until messages have been read a few times, or its end has been reached. What has been fetched beyond that is
/// forgotten, and fetched again in the next turn.
struct FetchTurns {
    /// How often messages are read in one turn.
    private static let turnLength = 8
    /// How long a turn goes on of which nothing comes, because the partition's broker may be away.
    private static let patience = Duration.seconds(1)

    /// What to change in librdkafka.
    struct Change: Equatable {
        /// The partitions to stop fetching, of which what has been fetched is forgotten.
        var stopped: [TopicPartition] = []
        /// The partitions to fetch.
        var fetched: [TopicPartition] = []

        var isEmpty: Bool { stopped.isEmpty && fetched.isEmpty }
    }

    private struct Turn {
        /// How often messages have been read.
        var reads = 0
        /// Whether one of them was larger than a partition's share.
        var isLarge = false
        /// When something came last.
        var last: ContinuousClock.Instant
    }

    private struct Round {
        /// The largest message that has been seen.
        var largest: Int
        /// The partitions that are fetched.
        var fetching: [TopicPartition: Turn]
        /// The others, those that have waited longest first.
        var waiting: [TopicPartition]
        /// How many turns in a row have brought no such message.
        var smallTurns = 0
    }

    /// The limit for all partitions, in bytes; nil if there is none.
    private let bytes: Int?
    private var partitions: [TopicPartition] = []
    /// Nil while all partitions are fetched.
    private var round: Round?

    init(bytes: Int?) { self.bytes = bytes }

    /// The partitions that are not fetched now.
    var waiting: [TopicPartition] { round?.waiting ?? [] }

    /// When the next turn may be over of which nothing comes.
    var deadline: ContinuousClock.Instant? { round?.fetching.values.map { $0.last + Self.patience }.min() }

    /// Adds partitions whose fetching begins.
    mutating func add(_ added: [TopicPartition]) {
        remove(added)
        partitions += added
        round?.waiting += added
    }

    /// Removes partitions that are read no more.
    mutating func remove(_ removed: [TopicPartition]) {
        partitions.removeAll { removed.contains($0) }
        round?.waiting.removeAll { removed.contains($0) }
        for partition in removed { round?.fetching[partition] = nil }
    }

    /// Notes what has been read.
    /// - Parameters:
    ///   - sizes: The size of the largest message that was read of each partition; 0 for its end.
    ///   - held: The partitions that are left unread, which nobody must wait for.
    ///   - now: The time.
    mutating func note(
        _ sizes: [TopicPartition: Int],
        held: Set<TopicPartition>,
        at now: ContinuousClock.Instant
    ) -> Change {
        guard let bytes, bytes > 0 else { return Change() }
        let share = bytes / max(1, partitions.count)
        let largest = sizes.values.max() ?? 0
        guard var round = round ?? begin(largest, share, now) else { return Change() }
        let wasFetching = Set(round.fetching.keys)
        round.largest = max(round.largest, largest)
        for (partition, size) in sizes {
            round.fetching[partition]?.reads += size > 0 ? 1 : Self.turnLength
            round.fetching[partition]?.last = now
            if size > share { round.fetching[partition]?.isLarge = true }
        }
        let over = round.fetching.filter { partition, turn in
            turn.reads >= Self.turnLength || now >= turn.last + Self.patience || held.contains(partition)
        }
        for (partition, turn) in over {
            round.fetching[partition] = nil
            if turn.reads > 0 { round.smallTurns = turn.isLarge ? 0 : round.smallTurns + 1 }
        }
        guard round.smallTurns < partitions.count else {
            self.round = nil
            return Change(fetched: round.waiting)
        }
        // What has been fetched of a message is there twice for a moment.
        let width = max(1, bytes / (2 * round.largest))
        if round.fetching.count > width {
            let first = Set(round.fetching.keys.sorted().prefix(width))
            round.fetching = round.fetching.filter { first.contains($0.key) }
        }
        round.waiting += partitions.filter { wasFetching.contains($0) && round.fetching[$0] == nil }
        while round.fetching.count < width,
            let index = round.waiting.firstIndex(where: { !held.contains($0) })
        {
            round.fetching[round.waiting.remove(at: index)] = Turn(last: now)
        }
        self.round = round
        return Change(
            stopped: partitions.filter { wasFetching.contains($0) && round.fetching[$0] == nil },
            fetched: partitions.filter { !wasFetching.contains($0) && round.fetching[$0] != nil }
        )
    }

    /// A first round, if messages have become so large.
    private func begin(_ largest: Int, _ share: Int, _ now: ContinuousClock.Instant) -> Round? {
        guard largest > share, partitions.count > 1 else { return nil }
        let turns = partitions.map { ($0, Turn(last: now)) }
        return Round(largest: largest, fetching: Dictionary(uniqueKeysWithValues: turns), waiting: [])
    }
}
