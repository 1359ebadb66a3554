import Dionysus
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Members that identify a person, and forgetting them.
@Suite struct PersonalEventTests {
    struct Registered: PersonalEvent {
        static let eventName = "Registered"
        static let personalMembers = ["name", "address"]
        var person: String
        var name: String?
        var address: [String]?
        var city: String
        var subject: String { person }
    }

    /// Counts the people whose names it can read.
    struct Names: Projection {
        let name = "names"
        let tables = ["names"]

        func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
            try transaction.run("CREATE TABLE \(identifier: tables["names"]) (person text PRIMARY KEY, name text)")
        }

        func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws {
            for case let event as Registered in events.map(\.event) {
                try transaction.run(
                    "INSERT INTO \(identifier: tables["names"]) VALUES (\(event.person), \(event.name ?? "forgotten"))"
                )
            }
        }
    }

    private let people = EventStore(EventTypes(Registered.self))

    private func register(_ harness: EventsHarness) async throws {
        for (person, name) in [("p1", "Ada Lovelace"), ("p2", "Bob Dylan")] {
            let event = Registered(person: person, name: name, address: ["Main Street", "1"], city: "London")
            try await people.append([NewEvent(event)], to: StreamName("person", person), on: harness.database)
        }
    }

    private func read(_ person: String, _ harness: EventsHarness) async throws -> Registered? {
        try await people.read(StreamName("person", person), on: harness.database).first?.event as? Registered
    }

    @Test(arguments: TestDatabaseKind.available)
    func `who is forgotten can't be read any more, and others can`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await register(harness)
            let ada = try await read("p1", harness)
            #expect((ada?.name, ada?.address, ada?.city) == ("Ada Lovelace", ["Main Street", "1"], "London"))
            #expect(try await harness.write { try people.forget("p1", in: &$0) })
            let forgotten = try await read("p1", harness)
            #expect(forgotten != nil)
            #expect((forgotten?.name, forgotten?.address, forgotten?.city) == (nil, nil, "London"))
            #expect(try await read("p2", harness)?.name == "Bob Dylan")
            #expect(try await !harness.write { try people.forget("p1", in: &$0) })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `neither the table nor the log shows what is encrypted`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await register(harness)
            let stored = try await harness.rows("SELECT data FROM dionysus_stream_events").joined()
            #expect(!stored.contains("Ada") && !stored.contains("Main Street") && stored.contains("London"))
            try await harness.relay()
            let log = try await readAll("bank_events", from: harness.broker).map(\.text).joined()
            #expect(!log.contains("Ada") && !log.contains("Main Street") && log.contains("London"))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer reads with the keys, and a rebuild forgets with them`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let names = Projector(Names(), people)
            try await harness.write { try names.create(in: &$0) }
            try await register(harness)
            try await harness.relay()
            try await harness.consume(Follow(names))
            let all: SQL = "SELECT name FROM names ORDER BY person"
            #expect(try await harness.rows(all) == ["Ada Lovelace", "Bob Dylan"])
            _ = try await harness.write { try people.forget("p1", in: &$0) }
            _ = try await ProjectionRebuild(of: names, on: harness.database).run()
            #expect(try await harness.rows(all) == ["forgotten", "Bob Dylan"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what is moved to another event is not decrypted`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await register(harness)
            _ = try await harness.write { transaction in
                try transaction.run(
                    """
                    UPDATE dionysus_stream_events SET metadata = (
                      SELECT metadata FROM dionysus_stream_events WHERE stream = 'person-p1'
                    ), data = (SELECT data FROM dionysus_stream_events WHERE stream = 'person-p1')
                    WHERE stream = 'person-p2'
                    """
                )
            }
            let error = await #expect(throws: DionysusError.self) { try await read("p2", harness) }
            #expect(error?.code == .malformed)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `who comes back is read again, and what was forgotten stays so`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await register(harness)
            _ = try await harness.write { try people.forget("p1", in: &$0) }
            let event = Registered(person: "p1", name: "Ada King", address: nil, city: "Paris")
            try await people.append([NewEvent(event)], to: StreamName("person", "p1"), on: harness.database)
            let events = try await people.read(StreamName("person", "p1"), on: harness.database)
            let names = events.map { ($0.event as? Registered)?.name ?? "forgotten" }
            #expect(names == ["forgotten", "Ada King"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a member that only looks encrypted is read as it is`(_ kind: TestDatabaseKind) async throws {
        struct Noted: PersonalEvent {
            static let eventName = "Noted"
            static let personalMembers = ["name"]
            var person: String
            var name: String?
            var note: JSON
            var subject: String { person }
        }
        try await EventsHarness.run(kind) { harness in
            let notes = EventStore(EventTypes(Noted.self))
            let note: JSON = ["dionysus.encrypted": "x"]
            let event = NewEvent(Noted(person: "p1", name: "Ada", note: note))
            try await notes.append([event], to: account, on: harness.database)
            let read = try await notes.read(account, on: harness.database).first?.event as? Noted
            #expect(read?.name == "Ada")
            #expect(read?.note == note)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `people whose ids look alike but differ in bytes have their own keys`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let events = [("\u{e9}", "Ada"), ("e\u{301}", "Bob")]
                .map { NewEvent(Registered(person: $0.0, name: $0.1, address: nil, city: "London")) }
            try await people.append(events, to: account, on: harness.database)
            _ = try await harness.write { try people.forget("\u{e9}", in: &$0) }
            let read = try await people.read(account, on: harness.database)
            let names = read.map { ($0.event as? Registered)?.name ?? "forgotten" }
            #expect(names == ["forgotten", "Bob"])
        }
    }
}
