import Dionysus
import Synchronization

/// The health of a relay: which lanes it works on, since when, and what problems it has.
final class RelayVitals: Sendable {
    private struct State {
        var state = VitalSign.State.starting
        var brokerProblem: String?
        var outage: DionysusError?
        var topicProblem: String?
        var modelProblem: String?
        var runProblem: String?
        var active: [Int: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())
    /// A batch that takes longer is stuck.
    private let limit: Duration

    init(limit: Duration) { self.limit = limit }

    /// How the relay is now.
    /// - Parameter problem: What is wrong with the database, if anything.
    func sign(_ problem: String? = nil) -> VitalSign {
        state.withLock { state in
            let now = ContinuousClock.now
            let oldest = state.active.min { $0.value < $1.value }
            if let oldest, now - oldest.value > limit {
                let age = (now - oldest.value).components.seconds
                let stuck = "a batch of lane \(oldest.key) has been running for \(age) s"
                return VitalSign(state.state, problem: stuck, madeProgress: false)
            }
            return VitalSign(
                state.state,
                problem: problem ?? state.outage.map { "\($0)" } ?? state.brokerProblem ?? state.topicProblem
                    ?? state.modelProblem ?? state.runProblem
            )
        }
    }

    func enter(_ new: VitalSign.State) { state.withLock { $0.state = new } }

    /// Returns how many lanes are worked on.
    func began(_ lane: Int) -> Int {
        state.withLock {
            $0.active[lane] = .now
            return $0.active.count
        }
    }

    /// Returns how many lanes are worked on.
    func ended(_ lane: Int) -> Int {
        state.withLock {
            $0.active[lane] = nil
            return $0.active.count
        }
    }

    func noteRuns(_ problem: String?) { state.withLock { $0.runProblem = problem } }

    func noteModels(_ problem: String?) { state.withLock { $0.modelProblem = problem } }

    func noteTopics(_ problem: String?) { state.withLock { $0.topicProblem = problem } }

    /// - Returns: What keeps the relay from the broker, if that is new.
    func noteOutage(_ outage: DionysusError?) -> DionysusError? {
        state.withLock { state in
            defer { state.outage = outage }
            return state.outage?.code == outage?.code ? nil : outage
        }
    }

    /// Whether the broker is known to refuse the relay.
    var isRefused: Bool { state.withLock { $0.outage?.code == .accessDenied } }

    /// - Returns: Whether that is new.
    func noteBroker(_ problem: String?) -> Bool {
        state.withLock { state in
            defer { state.brokerProblem = problem }
            return state.brokerProblem != problem
        }
    }
}
