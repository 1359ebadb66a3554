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

        /// Whether rows below the mark have to be looked for.
        ///
        /// It is so for a lane's first idle moment: a sweep passes everything that an old snapshot keeps, which would hold
        /// up a relay that has much to publish.
        mutating func isSweepDue(_ lane: Int, at now: ContinuousClock.Instant, isIdle: Bool) -> Bool {
            let isFirst = isIdle && !hasBeenSwept.contains(lane)
            guard isFirst || now - (swept[lane] ?? start) >= LaneHousekeeping.sweepInterval else { return false }
            swept[lane] = now
            hasBeenSwept.insert(lane)
            return true
        }

        /// Whether the mark has to be moved: that was not done just before, or many rows have been settled since.
        mutating func isAdvanceDue(_ lane: Int, at now: ContinuousClock.Instant, settled rows: Int) -> Bool {
            behind.insert(lane)
            settled[lane, default: 0] += rows
            if let last = advanced[lane], now - last < LaneHousekeeping.advanceInterval,
                settled[lane, default: 0] < LaneHousekeeping.advanceAfterRows
            {
                return false
            }
            advanced[lane] = now
            settled[lane] = 0
            return true
        }
    }

    private static let advanceInterval = Duration.seconds(1)
    /// While an old snapshot keeps dead index entries from being removed, every claim passes those above the mark.
    private static let advanceAfterRows = 250
    private static let sweepInterval = Duration.seconds(600)

    private let state = Mutex(State())

    /// What a lane is due besides its rows.
    struct Care: Sendable {
        var statements: [SQL] = []
        fileprivate var movesMark = false
    }

    /// What is due now, and counts as done.
    /// - Parameters:
    ///   - lane: The lane.
    ///   - outbox: The outbox.
    ///   - rows: How many rows are being settled.
    ///   - isIdle: Whether the lane has nothing to publish.
    func due(_ lane: Int, _ outbox: Outbox, settled rows: Int, isIdle: Bool) -> Care {
        let (isSweepDue, isAdvanceDue) = state.withLock { state in
            let now = ContinuousClock.now
            return (state.isSweepDue(lane, at: now, isIdle: isIdle), state.isAdvanceDue(lane, at: now, settled: rows))
        }
        var care = Care(statements: isSweepDue ? [outbox.sweep(lane: lane)] : [], movesMark: isAdvanceDue)
        if isAdvanceDue { care.statements += outbox.support.advanceLowWaterMark(ofLane: lane, lanes: outbox.lanes) }
        return care
    }

    /// Notes whether a lane's mark has to move further, as its statements have found.
    /// - Parameter results: The last are those of its statements.
    func took(_ care: Care, of lane: Int, _ results: [ResultSet]) {
        guard care.movesMark else { return }
        let isBehind = !care.statements.isEmpty && results.last.map { !$0.isEmpty } ?? false
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
