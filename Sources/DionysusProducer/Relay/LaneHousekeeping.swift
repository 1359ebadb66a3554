import Dionysus
import Synchronization

/// Remembers when each lane's low-water mark was last moved and checked, so that neither costs every batch.
final class LaneHousekeeping: Sendable {
    private struct State {
        var advanced: [Int: ContinuousClock.Instant] = [:]
        var swept: [Int: ContinuousClock.Instant] = [:]
        var hasBeenSwept: Set<Int> = []
        let start = ContinuousClock.now
        var behind: Set<Int> = []
        /// How many rows have been settled since the mark was moved.
        var settled: [Int: Int] = [:]
    }

    private static let advanceInterval = Duration.seconds(1)
    /// While an old snapshot keeps dead index entries from being removed, every claim passes those above the mark.
    private static let advanceAfterRows = 1_000
    private static let sweepInterval = Duration.seconds(600)

    private let state = Mutex(State())

    /// Whether rows below the mark have to be looked for.
    ///
    /// It is so for a lane's first idle moment: a sweep passes everything that an old snapshot keeps, which would hold up
    /// a relay that has much to publish.
    func isSweepDue(_ lane: Int, isIdle: Bool) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            let isFirst = isIdle && !state.hasBeenSwept.contains(lane)
            guard isFirst || now - (state.swept[lane] ?? state.start) >= Self.sweepInterval else { return false }
            state.swept[lane] = now
            state.hasBeenSwept.insert(lane)
            return true
        }
    }

    /// Whether the mark has to be moved: that was not done just before, or many rows have been settled since.
    func isAdvanceDue(_ lane: Int, settled rows: Int = 0) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            state.behind.insert(lane)
            state.settled[lane, default: 0] += rows
            if let last = state.advanced[lane], now - last < Self.advanceInterval,
                state.settled[lane, default: 0] < Self.advanceAfterRows
            {
                return false
            }
            state.advanced[lane] = now
            state.settled[lane] = 0
            return true
        }
    }

    /// Moves the mark.
    func advance(_ lane: Int, _ outbox: Outbox, in transaction: inout Transaction) throws {
        let isBehind = try outbox.support.advanceLowWaterMark(ofLane: lane, lanes: outbox.lanes, in: &transaction)
        if !isBehind { state.withLock { _ = $0.behind.remove(lane) } }
    }

    /// Lanes without new rows whose mark has yet to move.
    func lanesToAdvance() -> [Int] {
        state.withLock { state in
            let now = ContinuousClock.now
            return state.behind.filter { lane in
                state.advanced[lane].map { now - $0 >= Self.advanceInterval } ?? true
            }
        }
    }
}
