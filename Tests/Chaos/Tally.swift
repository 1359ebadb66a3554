import Foundation
import Synchronization

/// What has come of the rounds of a campaign, also of one that is interrupted.
final class Tally: Sendable {
    private struct State {
        var rounds = 0
        var failures: [Campaign.Plan] = []
        /// How long recovery took in the rounds that a fault had a part in.
        var recoveries: [String: [Duration]] = [:]
    }

    private let start = ContinuousClock.now
    private let state = Mutex(State())

    var isClean: Bool { state.withLock { $0.failures.isEmpty } }

    /// Notes a round that has ended.
    /// - Parameter recovery: How long recovery took; nil if the round broke off.
    func add(_ plan: Campaign.Plan, recovery: Duration?, isClean: Bool) {
        state.withLock { state in
            state.rounds += 1
            if !isClean { state.failures.append(plan) }
            guard let recovery else { return }
            for fault in plan.faults { state.recoveries[fault.name, default: []].append(recovery) }
        }
    }

    /// How long recovery took with each fault, how many rounds there were, and which of them were not clean.
    var summary: String {
        state.withLock { state in
            var lines = ["recovery in the rounds with each fault:"]
            for (name, times) in state.recoveries.sorted(by: { $0.key < $1.key }) {
                guard let first = times.min(), let last = times.max() else { continue }
                let name = name.padding(toLength: 20, withPad: " ", startingAt: 0)
                lines.append("  \(name)\(first.inSeconds) to \(last.inSeconds) s in \(times.count)")
            }
            lines.append("\(state.rounds) rounds in \((ContinuousClock.now - start).inSeconds) s")
            if state.failures.isEmpty {
                lines.append("all rounds are clean")
            } else {
                lines.append("\(state.failures.count) rounds were not clean:")
                lines += state.failures.map { "  \($0.description)\n    again: \($0.command)" }
            }
            return lines.joined(separator: "\n")
        }
    }
}
