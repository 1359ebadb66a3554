import Dionysus
import DionysusEvents
import Foundation
import TestSupport
import Testing

@testable import StreamTool

/// Streams: appending with an expected position, reading, ending.
@Suite struct AppendTests {
    @Test(arguments: TestDatabaseKind.available)
    func `positions count from one in each stream`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let first = try await harness.append(Opened(owner: "Ada"), Deposited(amount: 5))
            let second = try await harness.append(Closed())
            try await harness.append(Opened(owner: "Bob"), to: StreamName("account", "2"))
            #expect((first.first, first.last, second.first, second.last) == (1, 2, 3, 3))
            #expect(try await harness.names() == ["1 Opened", "2 Deposited", "3 Closed"])
            #expect(try await harness.names(StreamName("account", "2")) == ["1 Opened"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a stream that is elsewhere is a conflict that says what was expected and found`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            await #expect(throws: conflict(.exists, .position(0))) {
                try await harness.append(Closed(), expecting: .exists)
            }
            await #expect(throws: conflict(.position(1), .position(0))) {
                try await harness.append(Closed(), expecting: 1)
            }
            try await harness.append(Opened(owner: "Ada"), expecting: .none)
            try await harness.append(Deposited(amount: 1), expecting: 1)
            try await harness.append(Deposited(amount: 2), expecting: .exists)
            try await harness.append(Deposited(amount: 3), expecting: .any)
            await #expect(throws: conflict(.none, .position(4))) {
                try await harness.append(Opened(owner: "Bob"), expecting: .none)
            }
            let error = await #expect(throws: StreamConflict.self) {
                try await harness.append(Closed(), Closed(), expecting: 3)
            }
            #expect(error?.description == "conflict in stream account-1: expected position 3, found position 4")
            #expect(try await harness.names().count == 4)
        }
    }

    private func conflict(_ expected: ExpectedPosition, _ found: StreamConflict.Found) -> StreamConflict {
        StreamConflict(stream: account, expected: expected, found: found)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events that are appended again by their ids change nothing`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let events = [NewEvent(Opened(owner: "Ada")), NewEvent(Deposited(amount: 5))]
            let first = try await store.append(events, to: account, expecting: .none, on: harness.database)
            try await harness.append(Closed())
            let second = try await store.append(events, to: account, expecting: .none, on: harness.database)
            #expect((second.first, second.last, second.isRepeated) == (1, 2, true))
            #expect(!first.isRepeated)
            #expect(try await harness.names().count == 3)
            let mixed = [events[0], NewEvent(Closed())]
            await #expect(throws: conflict(.any, .otherEvents)) {
                try await store.append(mixed, to: account, on: harness.database)
            }
            let other = StreamName("account", "2")
            await #expect(throws: StreamConflict(stream: other, expected: .any, found: .otherEvents)) {
                try await store.append(events, to: other, on: harness.database)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an append belongs to the caller's transaction`(_ kind: TestDatabaseKind) async throws {
        struct Stop: Error {}
        try await EventsHarness.run(kind) { harness in
            _ = try await harness.write { try $0.run("CREATE TABLE notes (text text)") }
            await #expect(throws: Stop.self) {
                try await harness.write { transaction in
                    try transaction.run("INSERT INTO notes VALUES ('lost')")
                    try store.append([NewEvent(Opened(owner: "Ada"))], to: account, in: &transaction)
                    throw Stop()
                }
            }
            #expect(try await harness.names().isEmpty)
            try await harness.write { transaction in
                try transaction.run("INSERT INTO notes VALUES ('kept')")
                try store.append([NewEvent(Opened(owner: "Ada"))], to: account, in: &transaction)
                #expect(try store.position(of: account, in: &transaction) == 1)
            }
            #expect(try await harness.rows("SELECT text FROM notes") == ["kept"])
            #expect(try await harness.names() == ["1 Opened"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `many events are appended by one statement`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let watched = WatchedDatabase(harness.database)
            let events = (1...100).map { NewEvent(Deposited(amount: $0)) }
            try await store.append(events, to: account, expecting: .none, on: watched)
            #expect(watched.takeStatements().count == 1)
            #expect(try await store.read(account, on: harness.database).map(\.position) == Array(1...100))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a stream is read forwards, backwards, from and up to a position`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(to: account, count: 6)
            let database = harness.database
            func positions(_ events: [RecordedEvent]) -> [Int64] { events.map(\.position) }
            #expect(try await positions(store.read(account, from: 5, on: database)) == [5, 6])
            #expect(try await positions(store.read(account, through: 2, on: database)) == [1, 2])
            #expect(try await positions(store.read(account, reversed: true, limit: 2, on: database)) == [6, 5])
            #expect(try await positions(store.read(account, from: 2, through: 4, on: database)) == [2, 3, 4])
            #expect(try await positions(store.read(StreamName("account", "none"), on: database)).isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `nothing is appended to a stream that has ended, and its events stay`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"))
            _ = try await harness.write { try store.end(account, in: &$0) }
            await #expect(throws: conflict(.any, .ended(2))) { try await harness.append(Closed()) }
            #expect(try await harness.names() == ["1 Opened", "2 dionysus.stream_ended"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event keeps what caused it, and who`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let metadata = EventMetadata(
                correlationID: UUID(),
                causationID: UUID(),
                traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                actor: "ada",
                others: ["ip": "::1"]
            )
            let event = NewEvent(Opened(owner: "Ada"), metadata: metadata)
            try await store.append([event], to: account, on: harness.database)
            let read = try #require(try await store.read(account, on: harness.database).first)
            #expect(read.metadata == metadata)
            #expect(read.id == event.id)
            #expect((read.event as? Opened)?.owner == "Ada")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `metadata with a reserved name is refused`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let event = NewEvent(Closed(), metadata: EventMetadata(others: ["dionysus.subject": "p1"]))
            let error = await #expect(throws: DionysusError.self) {
                try await store.append([event], to: account, on: harness.database)
            }
            #expect(error?.code == .malformed)
        }
    }

    @Test func `stream names are compared and split by their bytes`() {
        let names: Set<StreamName> = [StreamName("caf\u{e9}", "1"), StreamName("cafe\u{301}", "1")]
        #expect(names.count == 2)
        // To Swift a dash and a combining mark are one character, to the database they are two.
        let marked = StreamName("ad-\u{301}1-2")
        #expect(marked.category == "ad")
        #expect(Array(marked.id.utf8) == Array("\u{301}1-2".utf8))
    }
}

extension EventsHarness {
    /// Appends deposits of 1, 2, 3….
    func append(to stream: StreamName, count: Int) async throws {
        let events = (1...count).map { NewEvent(Deposited(amount: $0)) }
        try await store.append(events, to: stream, on: database)
    }
}
