import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// What the changesets of the outbox say.
@Suite struct CaptureChangesetTests {
    /// The changesets of an insert, an update, a move and a deletion of one shop.
    private func story<Choice: CaptureChoice>(
        _ kind: TestDatabaseKind,
        _ choice: Choice.Type,
        settings: ProducerSettings = ProducerSettings()
    ) async throws -> [JSON?] {
        var changesets: [JSON?] = []
        try await CaptureTrial<Choice>
            .run(kind, settings: settings) { trial in
                try await trial.change(
                    CaptureTrial<Choice>.shop,
                    "UPDATE shops SET name = 'Other'",
                    "UPDATE shops SET account_id = 8",
                    "DELETE FROM shops"
                )
                changesets = try await trial.changesets()
            }
        return changesets
    }

    private static let move = JSON.array([.integer(7), .integer(8)])

    @Test("by default a changeset has only what the relay needs", arguments: TestDatabaseKind.available)
    func minimal(_ kind: TestDatabaseKind) async throws {
        let expected: [JSON?] = [nil, nil, .object(["account_id": Self.move]), nil]
        #expect(try await story(kind, ByTriggers.self) == expected)
        #expect(try await story(kind, ByApplication.self) == expected)
    }

    @Test("a model can ask for the names of changed columns", arguments: TestDatabaseKind.available)
    func names(_ kind: TestDatabaseKind) async throws {
        let stories = [try await story(kind, Names.ByTriggers.self), try await story(kind, Names.ByApplication.self)]
        for changesets in stories {
            #expect(names(changesets[0]) == ["account_id", "id", "name"])
            #expect(changesets[0]?["name"] == .null)
            #expect(changesets[1] == .object(["name": .null]))
            #expect(changesets[2] == .object(["account_id": Self.move]))
            #expect(names(changesets[3]) == ["account_id", "id", "name"])
        }
    }

    @Test("a model can ask for the values of changed columns", arguments: TestDatabaseKind.available)
    func values(_ kind: TestDatabaseKind) async throws {
        let stories = [try await story(kind, Values.ByTriggers.self), try await story(kind, Values.ByApplication.self)]
        for changesets in stories {
            #expect(changesets[0]?["name"] == .array([.null, .string("Corner")]))
            #expect(changesets[1] == .object(["name": .array([.string("Corner"), .string("Other")])]))
            #expect(changesets[2] == .object(["account_id": Self.move]))
            #expect(changesets[3]?["name"] == .array([.string("Other"), .null]))
        }
    }

    @Test("values are encrypted by the first key, and read by any of them", arguments: TestDatabaseKind.available)
    func encrypted(_ kind: TestDatabaseKind) async throws {
        let old = ChangesetKey(id: "2025", bytes: Array(repeating: 1, count: 32))
        let new = ChangesetKey(id: "2026", bytes: Array(repeating: 2, count: 32))
        var settings = ProducerSettings()
        settings.changesetKeys = [old]
        let changesets = try await story(kind, Values.ByApplication.self, settings: settings)
        let update = try #require(changesets[1])
        #expect(!update.text.contains("Corner") && !update.text.contains("Other"))
        guard case .string(let envelope)? = update["dionysus_encrypted"] else {
            Issue.record("nothing is encrypted")
            return
        }
        #expect(envelope.hasPrefix("2025:"))
        let values = JSON.object(["name": .array([.string("Corner"), .string("Other")])])
        #expect(try ChangesetCipher(keys: [new, old]).decrypt(update) == values)
        #expect(throws: DionysusError.self) { try ChangesetCipher(keys: [new]).decrypt(update) }
        let forged = ChangesetKey(id: "2025", bytes: Array(repeating: 3, count: 32))
        #expect(throws: DionysusError.self) { try ChangesetCipher(keys: [forged]).decrypt(update) }
        // What the relay needs is not encrypted.
        #expect(changesets[2]?["account_id"] == Self.move)
    }

    @Test("triggers can't encrypt: asking them for values while there are keys is a fault of the declaration")
    func triggersHaveNoKeys() async throws {
        try await CaptureTrial<Values.ByTriggers>
            .run(.sqlite) { trial in
                var settings = ProducerSettings()
                settings.changesetKeys = [ChangesetKey(id: "a", bytes: Array(repeating: 1, count: 32))]
                let encrypting = trial.harness.declaring(ShopSync<Values.ByTriggers>(), settings: settings)
                let faults = try await encrypting.schema.validate()
                #expect(faults.contains { $0.contains("triggers have no key") })
                await #expect(throws: DionysusError.self) { try await encrypting.schema.migrate(lanes: 4) }
            }
    }

    @Test("keys are checked, and never shown")
    func keys() {
        var settings = ProducerSettings()
        settings.changesetKeys = [
            ChangesetKey(id: "a b", bytes: Array(repeating: 77, count: 32)), ChangesetKey(id: "short", bytes: [77]),
            ChangesetKey(id: "short", bytes: Array(repeating: 77, count: 16)),
        ]
        #expect(settings.faults.count == 3)
        #expect(!"\(settings.changesetKeys)".contains("77"))
        #expect(ChangesetKey("id:not base64!") == nil)
        #expect(
            ChangesetKey("id:TU1NTU1NTU1NTU1NTU1NTQ==")
                == ChangesetKey(id: "id", bytes: Array(repeating: 77, count: 16))
        )
    }

    @Test("a row is a move only if the partition key has changed", arguments: TestDatabaseKind.available)
    func moves(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<Values.ByTriggers>
            .run(kind) { trial in
                try await trial.change(
                    CaptureTrial<Values.ByTriggers>.shop,
                    "UPDATE shops SET name = 'Other'",
                    "UPDATE shops SET account_id = 8",
                    "UPDATE shops SET closed_at = '2026-01-01'",
                    "UPDATE shops SET closed_at = NULL",
                    "DELETE FROM shops"
                )
                let rows = try await trial.harness.database.transaction(.snapshot) { transaction in
                    try transaction.run(
                        """
                        SELECT id, resource_class, resource_id, event_name, topic, partition_key, attempts, changeset, created_at,
                          traceparent, tracestate, origin FROM dionysus_outboxes ORDER BY id
                        """
                    )
                    .rows.map { try OutboxRow($0) }
                }
                // A restored record may have moved unseen while it was soft-deleted.
                let moves = rows.dropFirst().dropLast().map { $0.isMove(partitionKey: "account_id") }
                #expect(moves == [false, true, false, true])
                #expect(rows.allSatisfy { !$0.isMove(partitionKey: nil) })
            }
    }

    private func names(_ changeset: JSON?) -> [String] {
        guard case .object(let object)? = changeset else { return [] }
        return object.members.map(\.name).sorted()
    }
}
