package import Dionysus

/// A model of which a relay can publish nothing for now.
package struct ModelRefusal: Sendable, Hashable {
    /// The topic's full name, or `__outbox_observer__` for changes that others are computed from.
    package let topic: String
    /// The model's name.
    package let modelName: String
    /// What is wrong, and what to do.
    package let reason: String
    /// When it was found last, by the clock of the relay that found it.
    package let foundAt: Timestamp?
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

extension Outbox {
    private static let refusalPrefix = "refused:"

    /// Notes that a model is refused, for operators.
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

    /// Forgets all of them; those that last are found again.
    func forgetAllRefusals() -> SQL { "DELETE FROM \(tables.meta) WHERE name LIKE 'refused:%'" }

    func refusals() -> SQL { "SELECT value FROM \(tables.meta) WHERE name LIKE 'refused:%' ORDER BY name" }

    private static func name(_ group: RecordGroup) -> String {
        "\(refusalPrefix)\(group.topic):\(group.modelName)"
    }
}
