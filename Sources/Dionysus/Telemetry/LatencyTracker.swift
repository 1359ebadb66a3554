import Synchronization

/// Remembers how long changes took from their commit to the broker's acknowledgement, during the last minute.
public final class LatencyTracker: Sendable {
    /// The latencies of the last minute.
    public struct Summary: Sendable, Hashable {
        /// The shortest.
        public let minimum: Duration
        /// The longest.
        public let maximum: Duration
        /// The mean.
        public let average: Duration
        /// How many changes there were.
        public let count: Int

        package init(minimum: Duration, maximum: Duration, average: Duration, count: Int) {
            self.minimum = minimum
            self.maximum = maximum
            self.average = average
            self.count = count
        }

        /// Summarizes latencies; nil if there are none.
        package init?(_ latencies: [Duration]) {
            guard let minimum = latencies.min(), let maximum = latencies.max() else { return nil }
            self.init(
                minimum: minimum,
                maximum: maximum,
                average: latencies.reduce(.zero, +) / latencies.count,
                count: latencies.count
            )
        }
    }

    /// The latencies of one second.
    private struct Slot {
        var second: Int64
        var minimum: Int64
        var maximum: Int64
        var sum: Int128
        var count: Int
    }

    private struct State {
        var slots: [Slot] = []
        var oldestUnpublished: Timestamp?
        var isOldestKnown = false
        var ofOutbox: Summary?
    }

    private static let window: Int64 = 60

    private let start = ContinuousClock.now
    private let state = Mutex(State())

    /// Creates a tracker that knows nothing yet.
    public init() {}

    /// The latencies of the changes that were acknowledged during the last minute; nil if there were none.
    public var lastMinute: Summary? { summary(at: .now) }

    /// The latencies of the rows of the outbox that were published during the minute before they were last measured, by
    /// whichever relay: from a change's commit until its row was marked; nil if there were none.
    ///
    /// Of the newest 2,000 rows only, and of none where published rows are deleted.
    public var ofOutbox: Summary? { state.withLock { $0.ofOutbox } }

    /// How old the oldest change is that has not been published and is not parked, when that was last measured.
    ///
    /// Zero if there was none, nil if it has not been measured yet.
    public var oldestUnpublishedAge: Duration? {
        state.withLock { state in
            guard state.isOldestKnown else { return nil }
            return state.oldestUnpublished.map { $0.duration(to: .now) } ?? .zero
        }
    }

    /// Notes when changes that have just been acknowledged were recorded.
    package func record(
        _ times: some Sequence<Timestamp>,
        acknowledgedAt now: Timestamp = .now,
        _ instant: ContinuousClock.Instant = .now
    ) {
        var slot = Slot(second: second(of: instant), minimum: .max, maximum: 0, sum: 0, count: 0)
        for time in times {
            // The database's clock may be ahead of this machine's.
            let latency = max(0, now.microseconds(since: time))
            slot.minimum = min(slot.minimum, latency)
            slot.maximum = max(slot.maximum, latency)
            slot.sum += Int128(latency)
            slot.count += 1
        }
        guard slot.count > 0 else { return }
        state.withLock { state in
            if let last = state.slots.indices.last, state.slots[last].second >= slot.second {
                state.slots[last].minimum = min(state.slots[last].minimum, slot.minimum)
                state.slots[last].maximum = max(state.slots[last].maximum, slot.maximum)
                state.slots[last].sum += slot.sum
                state.slots[last].count += slot.count
            } else {
                state.slots.removeAll { $0.second <= slot.second - Self.window }
                state.slots.append(slot)
            }
        }
    }

    /// Notes what was measured of the outbox.
    /// - Parameters:
    ///   - oldest: The time of the oldest change that is not published; nil if there is none.
    ///   - published: How long those took that were published during the last minute; nil if there were none.
    package func note(oldestUnpublished oldest: Timestamp?, published: Summary?) {
        state.withLock { state in
            state.oldestUnpublished = oldest
            state.isOldestKnown = true
            state.ofOutbox = published
        }
    }

    package func summary(at instant: ContinuousClock.Instant) -> Summary? {
        let oldest = second(of: instant) - Self.window
        let slots = state.withLock { $0.slots.filter { $0.second > oldest } }
        let count = slots.reduce(0) { $0 + $1.count }
        guard count > 0, let minimum = slots.map(\.minimum).min(), let maximum = slots.map(\.maximum).max() else {
            return nil
        }
        return Summary(
            minimum: .microseconds(minimum),
            maximum: .microseconds(maximum),
            average: .microseconds(Int64(slots.reduce(0) { $0 + $1.sum } / Int128(count))),
            count: count
        )
    }

    private func second(of instant: ContinuousClock.Instant) -> Int64 { (instant - start).components.seconds }
}

extension Timestamp {
    /// How much later another time is; zero if it is earlier.
    package func duration(to other: Timestamp) -> Duration { .microseconds(max(0, other.microseconds(since: self))) }
}
