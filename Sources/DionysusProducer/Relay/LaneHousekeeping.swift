import Dionysus
import Synchronization

/// Remembers when each lane's low-water mark was last moved and checked, so that neither costs every batch.
final class LaneHousekeeping: Sendable {
    private struct State {
        var advanced: [Int: ContinuousClock.Instant] = [:]
        var swept: [Int: ContinuousClock.Instant] = [:]
        var hasBeenSwept: Set<Int> = []
        /// Lanes that may have rows below their mark.
        var suspects: Set<Int> = []
        /// The highest id of any row, when it was last read.
        var lastID: Int64 = 0
        let start = ContinuousClock.now
        var behind: Set<Int> = []
        /// How many rows have been settled since the mark was moved.
        var settled: [Int: Int] = [:]

        /// Whether rows below the mark have to be looked for.
        ///
        /// It is so when a lane is idle for the first time: a sweep passes everything that an old snapshot keeps, which would
        /// delay a relay that has much to publish.
        mutating func isSweepDue(_ lane: Int, at now: ContinuousClock.Instant, isIdle: Bool) -> Bool {
            guard mustBeSwept(lane, at: now, isIdle: isIdle) else { return false }
            suspects.remove(lane)
            swept[lane] = now
            hasBeenSwept.insert(lane)
            return true
        }

        func mustBeSwept(_ lane: Int, at now: ContinuousClock.Instant, isIdle: Bool) -> Bool {
            let isFirst = isIdle && !hasBeenSwept.contains(lane)
            return isFirst || suspects.contains(lane) || now - (swept[lane] ?? start) >= LaneHousekeeping.sweepInterval
        }

        /// Whether the mark has to be moved: some time has passed since, or many rows have been settled.
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

    /// Work that is due for a lane besides its rows.
    struct Chores: Sendable {
        var statements: [SQL] = []
        fileprivate var movesMark = false
    }

    /// Returns the work that is due now, and counts it as done.
    /// - Parameters:
    ///   - rows: How many rows are being settled.
    ///   - isIdle: Whether the lane has nothing to publish.
    func due(_ lane: Int, _ outbox: Outbox, settled rows: Int, isIdle: Bool) -> Chores {
        let (isSweepDue, isAdvanceDue) = state.withLock { state in
            let now = ContinuousClock.now
            return (state.isSweepDue(lane, at: now, isIdle: isIdle), state.isAdvanceDue(lane, at: now, settled: rows))
        }
        var chores = Chores(statements: isSweepDue ? [outbox.sweep(lane: lane)] : [], movesMark: isAdvanceDue)
        if isAdvanceDue { chores.statements += outbox.support.advanceLowWaterMark(ofLane: lane, lanes: outbox.lanes) }
        return chores
    }

    /// Notes whether a lane's mark has to move further, according to its statements.
    /// - Parameter results: The last are those of its statements.
    func note(_ chores: Chores, of lane: Int, _ results: [ResultSet]) {
        guard chores.movesMark else { return }
        let isBehind = !chores.statements.isEmpty && results.last.map { !$0.isEmpty } ?? false
        if !isBehind { state.withLock { _ = $0.behind.remove(lane) } }
    }

    /// Lanes that need work although they may have no new rows: whose mark has yet to move, or which have to be swept.
    func lanesInNeed(of lanes: Int) -> [Int] {
        state.withLock { state in
            let now = ContinuousClock.now
            return (0..<lanes)
                .filter { lane in
                    state.mustBeSwept(lane, at: now, isIdle: true)
                        || state.behind.contains(lane)
                            && (state.advanced[lane].map { now - $0 >= Self.advanceInterval } ?? true)
                }
        }
    }

    /// Marks lanes to be swept next time, because there may be rows below their mark.
    func suspect(_ lanes: some Sequence<Int>) { state.withLock { $0.suspects.formUnion(lanes) } }

    /// Notes the highest ids, and marks all lanes to be swept when ids have gone back.
    /// - Parameter results: Those of ``Outbox/marks()``.
    /// - Returns: Whether ids have gone back.
    func noteMarks(_ results: ArraySlice<ResultSet>, lanes: Int) throws -> Bool {
        guard let highest = try results.first?.first?.integer(0), let last = try results.last?.first?.integer(0) else {
            return false
        }
        return state.withLock { state in
            defer { state.lastID = last }
            // A sequence that can't be read gives 0.
            guard last < state.lastID || last > 0 && highest > last else { return false }
            state.suspects.formUnion(0..<lanes)
            return true
        }
    }
}
