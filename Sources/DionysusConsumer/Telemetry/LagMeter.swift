import Dionysus
import Synchronization

/// Tracks the positions of the owned partitions, and measures their lag.
final class LagMeter: Sendable {
    fileprivate struct Place {
        var start: StartPosition
        /// When the last message that was applied had been written.
        var lastApplied: Timestamp?
        /// When there was last nothing behind the place.
        var lastCaughtUp: Timestamp?
    }

    private let metrics: ConsumerMetrics
    private let places = Mutex<[TopicPartition: Place]>([:])

    init(_ metrics: ConsumerMetrics) { self.metrics = metrics }

    /// Partitions are owned from now on.
    func begin(_ starts: [TopicPartition: StartPosition]) {
        places.withLock { places in
            for (partition, start) in starts { places[partition] = Place(start: start) }
        }
    }

    /// Partitions are another member's from now on.
    func end(_ partitions: [TopicPartition]) {
        places.withLock { places in
            for partition in partitions where places.removeValue(forKey: partition) != nil {
                metrics.removeLag(of: partition)
            }
        }
    }

    /// Nothing is owned any more.
    func end() { end(places.withLock { Array($0.keys) }) }

    /// A partition is read on at another place.
    func move(_ partition: TopicPartition, to start: StartPosition) {
        places.withLock { if $0[partition] != nil { $0[partition] = Place(start: start) } }
    }

    /// The messages before an offset have been applied.
    /// - Parameter written: When the last of them was written, if that is known.
    func advance(_ partition: TopicPartition, to next: Int64, _ written: Timestamp?) {
        places.withLock { places in
            places[partition]?.start = .offset(next)
            if let written { places[partition]?.lastApplied = written }
        }
    }

    /// Looks up where the partitions end, and reports their lag.
    /// - Throws: What the broker throws.
    func measure(_ broker: any MessageBroker) async throws {
        let partitions = places.withLock { Array($0.keys) }
        guard !partitions.isEmpty else { return }
        let before = Timestamp.now
        let ranges = try await broker.offsets(of: partitions)
        places.withLock { places in
            for (partition, range) in ranges {
                guard var place = places[partition] else { continue }
                guard let messages = place.messages(in: range) else {
                    // How many were missed is unknown; zero would say that all is well.
                    metrics.removeLag(of: partition)
                    continue
                }
                if messages == 0 { place.lastCaughtUp = before }
                metrics.lags(partition, by: messages, age: messages == 0 ? .zero : place.age(at: .now))
                places[partition] = place
            }
        }
    }
}

extension LagMeter.Place {
    /// How many messages are behind the place; nil if it is not in the log.
    ///
    /// What begins with the latest message begins where the log ends when that is first looked up.
    fileprivate mutating func messages(in range: OffsetRange) -> Int64? {
        switch start {
        case .earliest: return range.next - range.first
        case .offset(let offset): return (range.first...range.next).contains(offset) ? range.next - offset : nil
        default:
            start = .offset(range.next)
            return 0
        }
    }

    /// How old the oldest message behind the place is at most; nil if nothing is known of it.
    ///
    /// It was written after the last one that was applied, and after there was last none.
    fileprivate func age(at now: Timestamp) -> Duration? {
        [lastApplied, lastCaughtUp].compactMap(\.self).max()
            .map { .microseconds(max(0, now.microseconds(since: $0))) }
    }
}
