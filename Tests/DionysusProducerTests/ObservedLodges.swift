import Dionysus
import DionysusProducer
import TestSupport

/// Lodges with one attribute, whose triggers are installed.
struct ObservedLodges: Sendable {
    let harness: ProducerHarness

    /// The lodges that a statement publishes, which is undone.
    func published(by statement: SQL) async throws -> Set<String> {
        try await outcome(of: statement, evaluating: "1").published
    }

    /// The lodges that a statement publishes, and those whose values it changes; it is undone.
    func outcome(of statement: SQL, evaluating sql: String) async throws -> Outcome {
        try await outcomes(of: [statement], evaluating: sql).first ?? Outcome(published: [], changed: [])
    }

    /// What a change has done.
    struct Outcome: Sendable {
        let published: Set<String>
        let changed: Set<String>
    }

    private struct Undone: Error {
        let outcomes: [Outcome]
    }

    /// What each of a series of changes does, which are undone together.
    func outcomes(of statements: [SQL], evaluating sql: String) async throws -> [Outcome] {
        let outbox = harness.outbox
        do {
            try await harness.database.transaction(.write) { transaction in
                var last = try transaction.run("SELECT coalesce(max(id), 0) FROM \(outbox)").first?.integer(0) ?? 0
                var before = try Self.values(of: sql, in: &transaction)
                var outcomes: [Outcome] = []
                for statement in statements {
                    try transaction.run(statement)
                    let after = try Self.values(of: sql, in: &transaction)
                    let rows = try transaction.run("SELECT resource_id, id FROM \(outbox) WHERE id > \(last)").rows
                    last = try rows.compactMap { try $0.integer(1) }.max() ?? last
                    outcomes.append(
                        Outcome(
                            published: Set(try rows.compactMap { try $0.text(0) }),
                            changed: Set(after.filter { before[$0.key] != $0.value }.map { "\($0.key)" })
                        )
                    )
                    before = after
                }
                throw Undone(outcomes: outcomes)
            }
        } catch let undone as Undone {
            return undone.outcomes
        }
        return []
    }

    /// What an expression gives for each lodge.
    private static func values(of sql: String, in transaction: inout Transaction) throws -> [Int64: DatabaseValue] {
        let rows = try transaction.run("SELECT lodge.id, (\(raw: sql)) FROM lodges lodge").rows
        return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.integer(0) ?? 0, $0[1]) })
    }
}

extension ProducerHarness {
    /// Installs what an attribute of lodges needs.
    func observing(_ sql: String) async throws -> ObservedLodges {
        try await observing(LodgeSync.text(sql))
    }

    func observing(_ producer: LodgeSync) async throws -> ObservedLodges {
        let registry = Registry(producer, settings: settings)
        try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
        return ObservedLodges(harness: self)
    }
}
