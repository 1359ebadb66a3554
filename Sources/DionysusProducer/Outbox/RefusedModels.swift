import Dionysus
import DionysusSchemas
import Synchronization

/// Models of which nothing can be published for now, because a table, a column or a right of theirs is missing.
///
/// Their rows wait without being counted as attempts, and are tried again after growing delays. Rows of other models go on.
final class RefusedModels: Sendable {
    private struct Refusal {
        var reason: String
        var failures: Int
        var nextAttempt: ContinuousClock.Instant
    }

    /// How a refusal has changed.
    enum Change {
        case begun
        /// It was tried again, and failed again.
        case repeated
        /// It is known already.
        case none
    }

    private static let backoff = Backoff(initial: .milliseconds(500), maximum: .seconds(10))

    private let state = Mutex<[RecordGroup: Refusal]>([:])

    /// Notes that nothing of a model can be published.
    func note(_ group: RecordGroup, _ reason: String) -> Change {
        state.withLock { refusals in
            let now = ContinuousClock.now
            guard var refusal = refusals[group] else {
                let delay = Self.backoff.delay(afterFailures: 1)
                refusals[group] = Refusal(reason: reason, failures: 1, nextAttempt: now + delay)
                return .begun
            }
            // Other lanes find the same at the same time.
            guard refusal.nextAttempt <= now else { return .none }
            refusal.failures += 1
            refusal.reason = reason
            refusal.nextAttempt = now + Self.backoff.delay(afterFailures: refusal.failures)
            refusals[group] = refusal
            return .repeated
        }
    }

    /// Notes that models can be published.
    /// - Returns: Those that couldn't be before.
    func accept(_ groups: some Sequence<RecordGroup>) -> [RecordGroup] {
        state.withLock { refusals in
            guard !refusals.isEmpty else { return [] }
            return groups.filter { refusals.removeValue(forKey: $0) != nil }
        }
    }

    /// Whether a model of a topic is among them.
    func hasTopic(_ topic: String) -> Bool { state.withLock { $0.keys.contains { $0.topic == topic } } }

    /// Whether there are none.
    var isEmpty: Bool { state.withLock { $0.isEmpty } }

    /// Those whose next attempt is yet to come, in a fixed order.
    var waiting: [RecordGroup] {
        state.withLock { refusals in
            guard !refusals.isEmpty else { return [] }
            let now = ContinuousClock.now
            return refusals.filter { $0.value.nextAttempt > now }.map(\.key).inFixedOrder
        }
    }

    /// What is wrong, if anything.
    var problem: String? {
        state.withLock { refusals in
            guard !refusals.isEmpty else { return nil }
            return Set(refusals.values.map(\.reason)).sorted().joined(separator: "; ")
        }
    }
}

extension DionysusError {
    /// Whether it is the schema registry that is away.
    var isOfRegistry: Bool { code == .registryUnavailable || code == .unknownSchema }

    /// What to do about an error that makes rows wait.
    var adviceForWaitingRows: String {
        let own = advice.map { "\($0); " } ?? ""
        if isOfRegistry { return own + "its rows wait until the registry answers" }
        return own + "its rows wait; bring back what is missing, or correct the declaration and start the relay again"
    }
}
