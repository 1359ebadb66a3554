import Dionysus
import Synchronization

/// Knows how a relay is: which lanes it works on, since when, and what is the matter.
final class RelayVitals: Sendable {
    private struct State {
        var state = VitalSign.State.starting
        var brokerProblem: String?
        var outage: DionysusError?
        var topicProblem: String?
        var modelProblem: String?
        var runProblem: String?
        var underWay: [Int: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())
    /// A batch that has been under way for longer is stuck.
    private let limit: Duration

    init(limit: Duration) { self.limit = limit }

    /// How the relay is now.
    /// - Parameter problem: What is the matter with the database, if something is.
    func sign(_ problem: String? = nil) -> VitalSign {
        state.withLock { state in
            let now = ContinuousClock.now
            let oldest = state.underWay.min { $0.value < $1.value }
            if let oldest, now - oldest.value > limit {
                let age = (now - oldest.value).components.seconds
                let stuck = "a batch of lane \(oldest.key) has been under way for \(age) s"
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
            $0.underWay[lane] = .now
            return $0.underWay.count
        }
    }

    /// Returns how many lanes are worked on.
    func ended(_ lane: Int) -> Int {
        state.withLock {
            $0.underWay[lane] = nil
            return $0.underWay.count
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

    /// Whether the broker is known to let the relay not in.
    var isRefused: Bool { state.withLock { $0.outage?.code == .accessDenied } }

    /// - Returns: Whether that is new.
    func noteBroker(_ problem: String?) -> Bool {
        state.withLock { state in
            defer { state.brokerProblem = problem }
            return state.brokerProblem != problem
        }
    }
}
