import Synchronization

/// Tracks the last minute's latencies from a change's commit to the broker's acknowledgement.
package final class LatencyTracker: Sendable {
    /// The latencies of the last minute.
    package struct Summary: Sendable, Hashable {
        /// The shortest.
        package let minimum: Duration
        /// The longest.
        package let maximum: Duration
        /// The mean.
        package let average: Duration
        /// The number of changes.
        package let count: Int

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

    /// Creates an empty tracker.
    package init() {}

    /// The latencies of changes acknowledged during the last minute; nil if there were none.
    package var lastMinute: Summary? { summary(at: .now) }

    /// The latencies of outbox rows published during the minute before the last measurement, by any relay: from a
    /// change's commit until its row was marked; nil if there were none.
    ///
    /// It covers only the newest 2,000 rows, and none if published rows are deleted.
    package var ofOutbox: Summary? { state.withLock { $0.ofOutbox } }

    /// The age of the oldest unpublished change that is not parked, at the last measurement.
    ///
    /// Zero if there was none, nil if it has not been measured yet.
    package var oldestUnpublishedAge: Duration? {
        state.withLock { state in
            guard state.isOldestKnown else { return nil }
            return state.oldestUnpublished.map { $0.duration(to: .now) } ?? .zero
        }
    }

    /// Records the times of changes that have just been acknowledged.
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

    /// Records a measurement of the outbox.
    /// - Parameters:
    ///   - oldest: The time of the oldest unpublished change; nil if there is none.
    ///   - published: The latencies of changes published during the last minute; nil if there were none.
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
    /// The time until another point in time; zero if that is earlier.
    package func duration(to other: Timestamp) -> Duration { .microseconds(max(0, other.microseconds(since: self))) }
}
