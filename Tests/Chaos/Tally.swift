import Foundation
import Synchronization

/// The results of a campaign's rounds, also of an interrupted one.
final class Tally: Sendable {
    private struct State {
        var rounds = 0
        var failures: [Campaign.Plan] = []
        /// The recovery times of the rounds with a fault.
        var recoveries: [String: [Duration]] = [:]
    }

    private let start = ContinuousClock.now
    private let state = Mutex(State())

    var isClean: Bool { state.withLock { $0.failures.isEmpty } }

    /// Records a finished round.
    /// - Parameter recovery: The recovery time; nil if the round was aborted.
    func add(_ plan: Campaign.Plan, recovery: Duration?, isClean: Bool) {
        state.withLock { state in
            state.rounds += 1
            if !isClean { state.failures.append(plan) }
            guard let recovery else { return }
            for fault in plan.faults { state.recoveries[fault.name, default: []].append(recovery) }
        }
    }

    /// The recovery times of each fault, the number of rounds, and the failed rounds.
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
