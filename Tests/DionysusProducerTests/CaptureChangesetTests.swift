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
        #expect(envelope.hasPrefix("2:2025:"))
        let row = ChangesetCipher.Row(modelName: "Shop", recordID: "1", eventName: "shop_updated", topic: "v1_shops")
        let values = JSON.object(["name": .array([.string("Corner"), .string("Other")])])
        #expect(try ChangesetCipher(keys: [new, old]).decrypt(update, of: row) == values)
        #expect(throws: DionysusError.self) { try ChangesetCipher(keys: [new]).decrypt(update, of: row) }
        let forged = ChangesetKey(id: "2025", bytes: Array(repeating: 3, count: 32))
        #expect(throws: DionysusError.self) { try ChangesetCipher(keys: [forged]).decrypt(update, of: row) }
        // What the relay needs is not encrypted.
        #expect(changesets[2]?["account_id"] == Self.move)
    }

    @Test("what is encrypted can be read in its own row only, and no older envelope passes for it")
    func bound() throws {
        let key = ChangesetKey(id: "a", bytes: Array(repeating: 1, count: 32))
        let cipher = ChangesetCipher(keys: [key])
        let own = ChangesetCipher.Row(modelName: "Shop", recordID: "1", eventName: "shop_updated", topic: "v1_shops")
        let values: JSON.Object = ["name": .array([.string("Corner"), .string("Other")])]
        let sealed = JSON.object(try cipher.encrypt(values, of: own, except: []))
        #expect(try cipher.decrypt(sealed, of: own) == .object(values))

        var others = [own, own, own, own, own]
        others[0].recordID = "2"
        others[1].topic = "v2_shops"
        others[2].eventName = "shop_destroyed"
        others[3].modelName = "Shops"
        // The same text in another division.
        (others[4].modelName, others[4].recordID) = ("Shop1", "")
        for other in others {
            #expect(throws: DionysusError.self) { try cipher.decrypt(sealed, of: other) }
            #expect(throws: DionysusError.self) { try cipher.decrypt(sealed, of: other, acceptsUnbound: true) }
        }

        // Without its version, it is an envelope of 0.1 and doesn't open as one.
        guard case .string(let envelope)? = sealed["dionysus_encrypted"] else { return }
        for text in [
            String(envelope.dropFirst(2)), "1" + envelope.dropFirst(), "2:" + envelope, ":" + envelope, "2:a:", "",
        ] {
            let forged = JSON.object(["dionysus_encrypted": .string(text)])
            for accepts in [false, true] {
                #expect(throws: DionysusError.self) { try cipher.decrypt(forged, of: own, acceptsUnbound: accepts) }
            }
        }
        #expect(throws: DionysusError.self) {
            try cipher.decrypt(.object(["dionysus_encrypted": .integer(1)]), of: own)
        }
    }

    @Test("what 0.1 has encrypted is read where that is asked for")
    func unbound() throws {
        let cipher = ChangesetCipher(keys: [ChangesetKey(id: "a", bytes: Array(repeating: 1, count: 32))])
        let row = ChangesetCipher.Row(modelName: "Shop", recordID: "1", eventName: "shop_updated", topic: "v1_shops")
        // {"name":["Corner","Other"]} under that key, with the key's id alone authenticated.
        let old = JSON.object([
            "dionysus_encrypted": .string(
                "a:BwcHBwcHBwcHBwcH9tGExWLLk5tCuEdf1K4CuIWFo5YQA2orKX9O+g4f+hufeipHrUFdhATljw=="
            ), "account_id": .integer(7),
        ])
        let error = #expect(throws: DionysusError.self) { try cipher.decrypt(old, of: row) }
        #expect(error?.description.contains("acceptsUnbound") == true)
        let read = try cipher.decrypt(old, of: row, acceptsUnbound: true)
        #expect(read["name"] == .array([.string("Corner"), .string("Other")]))
        #expect(read["account_id"] == .integer(7))
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

    @Test(
        "a row is a move only if the partition key has changed, and one of a record that was gone may be one",
        arguments: TestDatabaseKind.available
    )
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
                          traceparent, tracestate, origin, 0 FROM dionysus_outboxes ORDER BY id
                        """
                    )
                    .rows.map { try OutboxRow($0) }
                }
                let publication = try #require(trial.harness.registry.publications.first)
                #expect(rows.map { $0.move(in: publication) != nil } == [false, false, true, false, false, false])
                // It may have moved unseen while it was soft-deleted, and an id may have been another record's.
                let followers = rows.map { $0.mayFollowDestruction(in: publication) }
                #expect(followers == [true, false, false, true, true, true])
            }
    }

    private func names(_ changeset: JSON?) -> [String] {
        guard case .object(let object)? = changeset else { return [] }
        return object.members.map(\.name).sorted()
    }
}
