import Dionysus
import Synchronization

/// The health of a consumer: what it owns and works on, since when, and what is wrong.
final class ConsumerVitals: Sendable {
    fileprivate struct Batch {
        let partition: TopicPartition
        let start: ContinuousClock.Instant
    }

    fileprivate struct State {
        var state = VitalSign.State.starting
        /// Why it has ended, if that was not asked for.
        var ending: String?
        var outage: DionysusError?
        var troubles: [Int: String] = [:]
        var underWay: [Int: Batch] = [:]
        var owned: Set<TopicPartition> = []
        var lastNumber = 0
        /// When messages were last asked for.
        var lastPoll = ContinuousClock.now
        /// When something that had failed was last tried again.
        var lastTry = ContinuousClock.now
        /// When the replica's database last answered; nil before it is asked regularly.
        var lastAnswer: ContinuousClock.Instant?
    }

    /// A database that has not answered for longer is taken to be away.
    private static let patience = Duration.seconds(30)

    private let state = Mutex(State())
    /// A batch that takes longer is stuck.
    private let limit: Duration

    init(limit: Duration) { self.limit = limit }

    /// The consumer's health now.
    func sign() -> VitalSign {
        state.withLock { state in
            guard state.state != .stopped else { return VitalSign(.stopped, problem: state.ending) }
            if let problem = state.whatIsStuck(for: limit, at: .now) {
                return VitalSign(state.state, problem: problem, madeProgress: false)
            }
            let trouble = state.troubles.min { $0.key < $1.key }?.value
            let outage = state.outage.map { outage in
                outage.code == .brokerUnavailable ? "the broker can't be reached: \(outage)" : "\(outage)"
            }
            return VitalSign(state.state, problem: trouble ?? state.silence(longerThan: Self.patience) ?? outage)
        }
    }

    func enter(_ new: VitalSign.State) {
        // A consumer that is asked to end before it has begun goes on ending.
        state.withLock { if $0.state != .stopping { $0.state = new } }
    }

    func stop(because problem: String?) {
        state.withLock {
            $0.state = .stopped
            $0.ending = problem
        }
    }

    /// Messages have been asked for.
    /// - Returns: An outage that is new.
    func polled(_ outage: DionysusError?) -> DionysusError? {
        state.withLock { state in
            defer { state.outage = outage }
            state.lastPoll = .now
            return state.outage?.message == outage?.message ? nil : outage
        }
    }

    /// Whether the broker is known to be away.
    var lacksBroker: Bool {
        state.withLock { $0.outage.map { $0.code == .brokerUnavailable || $0.code == .accessDenied } ?? false }
    }

    /// How many partitions are owned.
    var owned: Int { state.withLock { $0.owned.count } }

    /// Returns how many partitions are owned.
    func own(_ partitions: some Sequence<TopicPartition>) -> Int {
        state.withLock {
            $0.owned.formUnion(partitions)
            return $0.owned.count
        }
    }

    /// Returns how many partitions are owned.
    func disown(_ partitions: some Sequence<TopicPartition>) -> Int {
        state.withLock {
            $0.owned.subtract(partitions)
            return $0.owned.count
        }
    }

    /// A batch is worked on from now on.
    /// - Returns: Its number.
    func began(_ partition: TopicPartition) -> Int {
        state.withLock { state in
            state.lastNumber += 1
            state.underWay[state.lastNumber] = Batch(partition: partition, start: .now)
            return state.lastNumber
        }
    }

    func ended(_ batch: Int) { state.withLock { $0.underWay[batch] = nil } }

    /// The replica's database has answered.
    func databaseAnswered() { state.withLock { $0.lastAnswer = .now } }

    /// Something that has failed is tried again.
    func tried() { state.withLock { $0.lastTry = .now } }

    /// Something has failed and is tried again until it succeeds.
    func note(_ problem: String, as trouble: inout Trouble?) {
        state.withLock { state in
            state.lastTry = .now
            if trouble == nil {
                state.lastNumber += 1
                trouble = Trouble(number: state.lastNumber)
            }
            if let trouble { state.troubles[trouble.number] = problem }
        }
    }

    func forget(_ trouble: Trouble) { state.withLock { $0.troubles[trouble.number] = nil } }
}

extension ConsumerVitals.State {
    /// That the database doesn't answer, if it hasn't for so long.
    ///
    /// A connection that is frozen gives no error.
    fileprivate func silence(longerThan limit: Duration) -> String? {
        guard let lastAnswer else { return nil }
        let age = ContinuousClock.now - lastAnswer
        return age > limit ? "the replica's database has not answered for \(age.components.seconds) s" : nil
    }

    /// What has stood still for longer than a limit, if something has.
    ///
    /// What is tried again gets on, however long it takes: starting anew would not help it.
    fileprivate func whatIsStuck(for limit: Duration, at now: ContinuousClock.Instant) -> String? {
        guard now - lastTry > limit else { return nil }
        if let oldest = underWay.values.min(by: { $0.start < $1.start }) {
            let age = now - oldest.start
            if age > limit {
                return "a batch of \(oldest.partition) has been running for \(age.components.seconds) s"
            }
            return nil
        }
        let age = now - lastPoll
        return age > limit ? "no messages have been asked for for \(age.components.seconds) s" : nil
    }
}
