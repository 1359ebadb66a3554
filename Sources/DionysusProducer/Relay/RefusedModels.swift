public import Dionysus
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

    /// What has become of a refusal.
    enum Change {
        case begun
        /// It was tried again, in vain.
        case repeated
        /// It is known already.
        case none
    }

    private static let backoff = Backoff(initial: .milliseconds(500), maximum: .seconds(10))

    private let state = Mutex<[RecordGroup: Refusal]>([:])

    /// Takes note that nothing of a model can be published.
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

    /// Takes note that models can be published.
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

    /// What is the matter, if anything is.
    var problem: String? {
        state.withLock { refusals in
            guard !refusals.isEmpty else { return nil }
            return Set(refusals.values.map(\.reason)).sorted().joined(separator: "; ")
        }
    }
}

extension [RecordGroup] {
    /// The same in an order that statements can be prepared with.
    var inFixedOrder: [RecordGroup] { sorted { ($0.topic, $0.modelName) < ($1.topic, $1.modelName) } }
}

/// A model of which a relay can publish nothing for now, as people are told.
public struct ModelRefusal: Sendable, Hashable {
    /// The topic's full name, or `__outbox_observer__` for changes that others are computed from.
    public let topic: String
    /// The model's name.
    public let modelName: String
    /// What is the matter, and what to do.
    public let reason: String
    /// When it was found last, by the clock of the relay that found it.
    public let foundAt: Timestamp?
}

extension Outbox {
    private static let refusalPrefix = "refused:"

    /// Writes down that a model is refused, for those who look into the outbox.
    func noteRefusal(_ group: RecordGroup, _ reason: String) -> [SQL] {
        let value = JSON.object([
            "topic": .string(group.topic), "model": .string(group.modelName), "reason": .string(storable(reason)),
            "found_at": .string(Timestamp.now.description),
        ])
        let name = Self.name(group)
        return [
            """
            INSERT INTO \(tables.meta) (name, value) VALUES (\(name), \(value.text))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """
        ]
    }

    /// Forgets that models were refused.
    func forgetRefusals(_ groups: [RecordGroup]) -> [SQL] {
        groups.map { "DELETE FROM \(tables.meta) WHERE name = \(Self.name($0))" }
    }

    /// Forgets all of them, because they are found again if they last.
    func forgetAllRefusals() -> SQL { "DELETE FROM \(tables.meta) WHERE name LIKE 'refused:%'" }

    func refusals() -> SQL { "SELECT value FROM \(tables.meta) WHERE name LIKE 'refused:%' ORDER BY name" }

    private static func name(_ group: RecordGroup) -> String {
        "\(refusalPrefix)\(group.topic):\(group.modelName)"
    }
}

extension ModelRefusal {
    init?(_ row: Row) throws {
        guard let text = try row.text(0), let value = try? JSON(parsing: Array(text.utf8)) else { return nil }
        topic = value["topic"]?.text(or: nil) ?? ""
        modelName = value["model"]?.text(or: nil) ?? ""
        reason = value["reason"]?.text(or: nil) ?? ""
        foundAt = value["found_at"]?.text(or: nil).flatMap { Timestamp($0) }
    }
}
