import Dionysus
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Names, versions, upcasts, and events that nobody knows.
@Suite struct EventTypeTests {
    /// How an account was opened in the first version.
    struct OldOpened: Event {
        static let eventName = "AccountOpened"
        var name: String
    }

    struct NewOpened: Event {
        static let eventName = "Opened"
        static let eventVersion = 3
        var owner: String
        var currency: String
    }

    @Test(arguments: TestDatabaseKind.available)
    func `old data pass through all upcasts, and the stored event stays`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let old = EventStore(EventTypes(OldOpened.self))
            try await old.append([NewEvent(OldOpened(name: "Ada"))], to: account, on: harness.database)
            let new = EventStore(
                EventTypes(NewOpened.self)
                    .upcasting("AccountOpened", from: 1, renamingTo: "Opened") { data in
                        data["owner"] = data["name"]
                        data["name"] = nil
                    }
                    .upcasting("Opened", from: 2) { $0["currency"] = "EUR" }
            )
            let event = try #require(try await new.read(account, on: harness.database).first)
            let opened = try #require(event.event as? NewOpened)
            #expect((opened.owner, opened.currency) == ("Ada", "EUR"))
            #expect((event.type, event.version) == ("AccountOpened", 1))
            #expect(event.data == ["name": "Ada"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an unknown event fails, is left out, or is read as it is, by choice`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 5), Closed())
            let known = EventTypes(Opened.self, Closed.self)
            let error = await #expect(throws: DionysusError.self) {
                try await EventStore(known).read(account, on: harness.database)
            }
            #expect(
                error?.message.contains("Deposited in version 1, as stored at position 2 of stream account-1") == true
            )
            let skipping = EventStore(known.unknown(.skip))
            #expect(try await skipping.read(account, on: harness.database).map(\.position) == [1, 3])
            let raw = try await EventStore(known.unknown(.raw)).read(account, on: harness.database)
            #expect((raw[1].event as? UnknownEvent)?.type == "Deposited")
            #expect(raw[1].data == ["amount": 5])
        }
    }

    @Test func `a version that is newer than the declared one is unknown`() async throws {
        try await EventsHarness.run(.sqlite) { harness in
            let new = NewEvent(NewOpened(owner: "Ada", currency: "EUR"))
            try await EventStore(EventTypes(NewOpened.self)).append([new], to: account, on: harness.database)
            await #expect(throws: DionysusError.self) { try await store.read(account, on: harness.database) }
        }
    }
}
