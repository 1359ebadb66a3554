import Synchronization

/// The lanes that have rows to be published, handed to workers one at a time.
final class LaneQueue: Sendable {
    private struct State {
        /// In the order in which they are served, so that a busy lane does not starve the others.
        var waiting: [Int] = []
        var active: Set<Int> = []
        /// Lanes that another relay has, and until when polls need not offer them again.
        var takenUntil: [Int: ContinuousClock.Instant] = [:]
        var workers: [CheckedContinuation<Int?, Never>] = []
        var isClosed = false
        var hasProgressed = false
        var lastPause = 0
        var pauses: [Int: CheckedContinuation<Void, Never>] = [:]
        /// Pauses that were cancelled before they began to wait.
        var endedPauses: Set<Int> = []

        mutating func next() -> Int? {
            guard let index = waiting.firstIndex(where: { !active.contains($0) }) else { return nil }
            let lane = waiting.remove(at: index)
            active.insert(lane)
            return lane
        }

        func isTaken(_ lane: Int, at now: ContinuousClock.Instant) -> Bool {
            takenUntil[lane].map { now < $0 } ?? false
        }

        /// Pairs lanes with idle workers.
        mutating func match() -> [(CheckedContinuation<Int?, Never>, Int?)] {
            var pairs: [(CheckedContinuation<Int?, Never>, Int?)] = []
            if isClosed {
                pairs = workers.map { ($0, nil) }
                workers = []
                return pairs
            }
            while !workers.isEmpty, let lane = next() {
                pairs.append((workers.removeFirst(), lane))
            }
            return pairs
        }
    }

    /// How long a lane is left to the relay that has it, and that looks for its next rows.
    private static let timeLeftToOthers = Duration.milliseconds(100)

    private let state = Mutex(State())
    /// Where in a list of lanes this relay begins, so that several don't all try the same lane first.
    private let origin = Int.random(in: 0..<1_024)
    private let onFinished: @Sendable () -> Void

    /// Creates a queue.
    /// - Parameter onFinished: Called when it is time to look for more, because no lane is left.
    init(onFinished: @escaping @Sendable () -> Void = {}) { self.onFinished = onFinished }

    /// Whether a lane waits or is worked on.
    var isIdle: Bool { state.withLock { $0.waiting.isEmpty && $0.active.isEmpty } }

    /// Whether the queue is closed, so that workers stop.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Adds lanes that no worker has and that aren't waiting yet.
    func offerIdle(_ lanes: [Int]) {
        guard !lanes.isEmpty else { return }
        let start = origin % lanes.count
        change { state in
            let now = ContinuousClock.now
            for lane in lanes[start...] + lanes[..<start] where !state.isTaken(lane, at: now) {
                if !state.active.contains(lane), !state.waiting.contains(lane) { state.waiting.append(lane) }
            }
        }
    }

    /// Whether other relays have all of some lanes, as far as is known.
    func areTaken(_ lanes: [Int]) -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            return !lanes.isEmpty && lanes.allSatisfy { state.isTaken($0, at: now) }
        }
    }

    /// Adds lanes that are not waiting yet, also those that are worked on: they get another turn.
    func offer(_ lanes: [Int]) {
        change { state in
            for lane in lanes where !state.waiting.contains(lane) { state.waiting.append(lane) }
        }
    }

    /// The next lane for a worker; nil once the queue is closed.
    func next() async -> Int? {
        await withCheckedContinuation { continuation in
            change { state in state.workers.append(continuation) }
        }
    }

    /// Whether a worker may keep its lane: no other lane waits for one.
    func mayKeep() -> Bool {
        state.withLock { state in !state.isClosed && state.waiting.allSatisfy(state.active.contains) }
    }

    /// Notes that something was settled in a lane that a worker still has.
    func progressed() { state.withLock { $0.hasProgressed = true } }

    /// A worker has found that another relay has a lane; that is no reason to look for more.
    func isTaken(_ lane: Int) {
        change { state in
            state.active.remove(lane)
            state.takenUntil[lane] = .now + Self.timeLeftToOthers
        }
    }

    /// A worker is done with a lane, for now or with more to come.
    func finished(_ lane: Int, hasMore: Bool, hasProgressed: Bool) {
        change { state in
            state.active.remove(lane)
            if hasMore, !state.waiting.contains(lane) { state.waiting.append(lane) }
            if hasProgressed { state.hasProgressed = true }
        }
        if isIdle { onFinished() }
    }

    /// Whether anything was settled since this was last asked.
    func takeProgress() -> Bool {
        state.withLock { state in
            defer { state.hasProgressed = false }
            return state.hasProgressed
        }
    }

    /// Stops the workers once their current batch is done.
    func close() {
        let pauses = state.withLock { state in
            state.isClosed = true
            defer { state.pauses = [:] }
            return Array(state.pauses.values)
        }
        for pause in pauses { pause.resume() }
        change { _ in }
    }

    /// Waits, but not past the closing of the queue.
    func pause(_ duration: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { await self.closing() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Returns when the queue is closed or the task is cancelled.
    private func closing() async {
        let id = state.withLock { state in
            state.lastPause += 1
            return state.lastPause
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard !state.isClosed, !state.endedPauses.contains(id) else {
                        state.endedPauses.remove(id)
                        return true
                    }
                    state.pauses[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let continuation = state.pauses.removeValue(forKey: id)
                if continuation == nil { state.endedPauses.insert(id) }
                return continuation
            }
            continuation?.resume()
        }
        state.withLock { _ = $0.endedPauses.remove(id) }
    }

    private func change(_ body: (inout State) -> Void) {
        let pairs = state.withLock { state in
            body(&state)
            return state.match()
        }
        for (continuation, lane) in pairs { continuation.resume(returning: lane) }
    }
}
