import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// Messages that are published without the outbox.
@Suite struct ResponderTests {
    static let account: SQL = "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)"

    private func accounts(_ ids: [Int]) -> [Account] {
        ids.map { Account(id: $0, name: "given", createdAt: Timestamp(microseconds: 0), updatedAt: .now) }
    }

    private func run(
        _ kind: TestDatabaseKind,
        _ body: (ProducerHarness, Responder) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(Self.account)
            let responder = try await harness.responder()
            try await body(harness, responder)
            await responder.close()
        }
    }

    @Test(
        "records are published as the database holds them, under the first one's key, to the genesis replica too",
        arguments: TestDatabaseKind.available
    )
    func records(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            try await responder.respond(
                in: "v3_accounts",
                ResponderMessage([ResponderEvent(.updated, accounts([1]))])
            )
            let message = try #require(try await harness.messages(in: "v3_accounts").first)
            #expect(message.event == "account_updated" && message.key == "Account:1")
            #expect(message.payload["name"] == "Acme" && message.payload["links"] == [:])
            #expect(message.partition == DeclarationTests.partition("1"))
            #expect(message.version > 0)
            let replica = try #require(try await harness.messages(in: "v3_accounts_genesis").first)
            #expect(replica.value == message.value && replica.key == message.key)
            #expect(replica.headers == message.headers && message.headers[HeaderName.eventID]?.isEmpty == false)
        }
    }

    @Test("one message may hold many records and many events, of any name", arguments: TestDatabaseKind.available)
    func bulk(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            try await harness.write("INSERT INTO accounts (id, name) VALUES (2, 'Two')")
            try await responder.respond(
                in: "v3_accounts",
                ResponderMessage(
                    [
                        ResponderEvent("account_audited", accounts([1, 2])),
                        ResponderEvent(.destroyed, of: Account.self, payloads: [["id": 8], ["id": 9]]),
                    ],
                    key: "audit",
                    partitionKey: "p"
                )
            )
            let message = try #require(try await harness.messages(in: "v3_accounts").first)
            #expect(message.key == "audit" && message.partition == DeclarationTests.partition("p"))
            guard case .array(let events) = message.value["message"], events.count == 2,
                case .array(let records) = events[0]["data"]
            else {
                Issue.record("the message has another shape: \(message.value.text)")
                return
            }
            #expect(events[0]["event"] == "account_audited" && events[0]["model_name"] == "Account")
            #expect(records.map { $0["name"] } == ["Acme", "Two"])
            #expect(
                events[1] == [
                    "event": "account_destroyed", "model_name": "Account", "data": [["id": 8], ["id": 9]],
                ]
            )
        }
    }

    @Test(
        "a record that is gone is published with what the given value says of it",
        arguments: TestDatabaseKind.available
    )
    func gone(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            try await responder.respond(
                in: "v3_accounts",
                ResponderMessage([ResponderEvent(.destroyed, accounts([5]))])
            )
            let message = try #require(try await harness.messages(in: "v3_accounts").first)
            #expect(message.key == "Account:5")
            #expect(message.payload["id"] == 5 && message.payload["name"] == "given")
            #expect(message.payload["created_at"] == "1970-01-01T00:00:00.000000Z")
            #expect(message.payload["links"] == [:])
        }
    }

    @Test(
        "a message can go to the genesis topic alone, where the topic has one",
        arguments: TestDatabaseKind.available
    )
    func genesisOnly(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            let event = ResponderEvent(.updated, accounts([1]))
            try await responder.respond(in: "v3_accounts", ResponderMessage([event], genesisOnly: true))
            #expect(try await harness.events(in: "v3_accounts") == [])
            #expect(try await harness.events(in: "v3_accounts_genesis") == ["account_updated Account:1"])
            let payloads = ResponderEvent(.updated, of: Rental.self, payloads: [["id": 1]])
            let error = await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v3_rentals", ResponderMessage([payloads], genesisOnly: true))
            }
            #expect(error?.description.contains("has no genesis topic") == true)
            #expect(try await harness.events(in: "v3_rentals") == [])
        }
    }

    @Test(
        "a topic or model that is not declared, a message without events and one without a key are refused",
        arguments: TestDatabaseKind.available
    )
    func refused(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            let event = ResponderEvent(.updated, accounts([1]))
            await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v9_accounts", ResponderMessage([event]))
            }
            await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v3_rentals", ResponderMessage([event]))
            }
            await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v3_accounts", ResponderMessage([], key: "k"))
            }
            let keyless = ResponderEvent(.updated, of: Account.self, payloads: [["name": "nobody"]])
            await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v3_accounts", ResponderMessage([keyless]))
            }
            let events = try await harness.events(in: "v3_accounts")
            #expect(events == [])
        }
    }

    @Test(
        "associations and sideloads are loaded, and the partition key is what the topic's rule gives",
        arguments: TestDatabaseKind.available
    )
    func sideloads(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            let responder = try await harness.responder()
            let post = Post(id: 1, authorID: 0, region: nil, title: "")
            let message = ResponderMessage([ResponderEvent(.updated, [post])])
            try await responder.respond(in: "v3_posts", message)
            try await responder.respond(in: "v4_feed", message)
            await responder.close()
            let first = try #require(try await harness.messages(in: "v3_posts").first)
            #expect(first.payload["locale"] == "en")
            #expect(first.payload["tags"] != [] && first.payload["tags"] != nil)
            let second = try #require(try await harness.messages(in: "v4_feed").first)
            #expect(second.partition == DeclarationTests.partition("eu"))
        }
    }

    @Test("what the broker refuses is thrown", arguments: TestDatabaseKind.available)
    func tooLarge(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, responder in
            let text = String(repeating: "x", count: 5_000_000)
            let event = ResponderEvent(.updated, of: Account.self, payloads: [["id": 1, "name": .string(text)]])
            let error = await #expect(throws: DionysusError.self) {
                try await responder.respond(in: "v3_accounts", ResponderMessage([event]))
            }
            #expect(error?.code == .messageRejected)
        }
    }
}
