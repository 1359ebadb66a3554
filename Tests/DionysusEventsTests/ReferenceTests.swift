import Dionysus
import DionysusEvents
import Dispatch
import TestSupport
import Testing

@testable import Ads
@testable import StreamTool

/// What libraries for event sourcing are compared by: a test for each feature, named after it.
@Suite struct ReferenceTests {
    private let accounts = Repository(Accounts(), category: "account", store)

    @Test(arguments: TestDatabaseKind.available)
    func `streams and positions per stream`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1))
            // What is rolled back leaves no gap.
            _ = try? await harness.write { transaction in
                try store.append([NewEvent(Closed())], to: account, in: &transaction)
                throw CancellationError()
            }
            try await harness.append(Closed())
            try await harness.append(Opened(owner: "Bob"), to: StreamName("account", "2"))
            #expect(try await harness.names() == ["1 Opened", "2 Deposited", "3 Closed"])
            #expect(try await harness.names(StreamName("account", "2")) == ["1 Opened"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `expected version: any, none, exists, a number`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            for expected in [ExpectedPosition.exists, 1] {
                await #expect(throws: StreamConflict.self) { try await harness.append(Closed(), expecting: expected) }
            }
            for expected in [ExpectedPosition.none, 1, .exists, .any] {
                try await harness.append(Deposited(amount: 1), expecting: expected)
            }
            for expected in [ExpectedPosition.none, 3, 5] {
                await #expect(throws: StreamConflict.self) { try await harness.append(Closed(), expecting: expected) }
            }
            #expect(try await harness.names().count == 4)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `gap-safe global order`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            var late: (task: Task<Void, any Error>, mayCommit: DispatchSemaphore)?
            // On SQLite writers exclude each other, so that nothing can commit late.
            if kind == .postgres {
                let (hasAppended, mayCommit) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
                let task = Task {
                    try await harness.write { transaction in
                        try store.append([NewEvent(Closed())], to: StreamName("account", "late"), in: &transaction)
                        hasAppended.continuation.yield()
                        mayCommit.wait()
                    }
                }
                late = (task, mayCommit)
                var appended = hasAppended.stream.makeAsyncIterator()
                await appended.next()
            }
            func seen() async throws -> [String] {
                try await EventOrder().extend(on: harness.database)
                return try await harness.database.transaction(.snapshot) { transaction in
                    try store.readAll(limit: 100, in: &transaction).map { "\($0.globalPosition ?? 0) \($0.stream)" }
                }
            }
            try await harness.append(Closed(), to: StreamName("account", "early"))
            let before = try await seen()
            #expect(before == ["1 account-early"])
            late?.mayCommit.signal()
            try await late?.task.value
            if late == nil { try await harness.append(Closed(), to: StreamName("account", "late")) }
            #expect(try await seen() == before + ["2 account-late"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `subscriptions that go on where they were`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            _ = try await harness.write { try $0.run("CREATE TABLE seen (event text UNIQUE)") }
            func reader() -> EventReader {
                EventReader("seen", store, harness.database, categories: ["account"], batchSize: 2) {
                    events,
                    transaction in
                    for event in events {
                        try transaction.run("INSERT INTO seen VALUES (\("\(event.globalPosition ?? 0) \(event.type)"))")
                    }
                }
            }
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1), Closed())
            try await reader().catchUp()
            try await harness.append(Opened(owner: "Ada"), to: StreamName("card", "1"))
            try await harness.append(Opened(owner: "Bob"), to: StreamName("account", "2"))
            try await reader().catchUp()
            #expect(try await reader().position() == 5)
            let seen = try await harness.rows("SELECT event FROM seen ORDER BY event")
            #expect(seen == ["1 Opened", "2 Deposited", "3 Closed", "5 Opened"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `projections and their rebuild`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let (old, new) = (Projector(Balances(), store), Projector(Balances(version: 2, factor: 10), store))
            try await harness.write { try old.create(in: &$0) }
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4))
            try await harness.relay()
            try await harness.consume(Follow(old))
            #expect(try await harness.balances() == ["1 4 2"])
            _ = try await ProjectionRebuild(of: new, on: harness.database).run()
            #expect(try await harness.balances() == ["1 40 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `snapshots`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let policy = SnapshotPolicy<Accounts.State>("account", version: 1, every: 2)
            let accounts = Repository(Accounts(), category: "account", store, snapshots: policy)
            try await accounts.execute(.open(owner: "Ada"), on: "1", harness.database)
            for _ in 0..<4 { try await accounts.execute(.deposit(1), on: "1", harness.database) }
            #expect(try await harness.rows("SELECT position FROM dionysus_stream_snapshots") == ["4"])
            let loaded = try await accounts.load("1", on: harness.database)
            #expect((loaded.position, loaded.state.balance) == (5, 4))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `upcasting`(_ kind: TestDatabaseKind) async throws {
        struct Paid: Event {
            static let eventName = "Paid"
            static let eventVersion = 2
            var cents: Int
        }
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Deposited(amount: 3))
            let types = EventTypes(Paid.self)
                .upcasting("Deposited", from: 1, renamingTo: "Paid") { data in
                    if case .integer(let amount)? = data["amount"] { data["cents"] = .integer(amount * 100) }
                }
            let events = try await EventStore(types).read(account, on: harness.database)
            #expect(events.map { ($0.event as? Paid)?.cents } == [300])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `process managers: start, continue, stop, timers`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let runner = ProcessRunner(Welcome(), store)
            let reader = EventReader("welcome", store, harness.database, handler: runner.handler)
            // Before it begins, there is nothing to go on with.
            try await harness.append(Deposited(amount: 1), to: StreamName("account", "early"))
            for id in ["stopped", "idle"] {
                try await harness.append(Opened(owner: "Ada"), to: StreamName("account", id))
            }
            try await harness.append(Deposited(amount: 1), Closed(), to: StreamName("account", "stopped"))
            try await reader.catchUp()
            try await ProcessTimers(runner, harness.database).fire(at: Welcome.due)
            try await reader.catchUp()
            #expect(try await harness.rows("SELECT id FROM dionysus_processes ORDER BY id") == ["idle", "stopped"])
            #expect(try await harness.names(StreamName("gift", "stopped")) == ["1 Deposited"])
            #expect(try await harness.names(StreamName("account", "idle")) == ["1 Opened", "2 Closed"])
            #expect(try await harness.rows("SELECT id FROM dionysus_processes WHERE ended_at IS NULL").isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `idempotency by ids of events and commands`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let event = NewEvent(Opened(owner: "Ada"))
            for _ in 1...2 { try await store.append([event], to: account, expecting: .none, on: harness.database) }
            let commandID = NewEvent(Closed()).id
            for _ in 1...2 {
                try await accounts.execute(.deposit(5), on: "1", commandID: commandID, harness.database)
            }
            #expect(try await harness.names() == ["1 Opened", "2 Deposited"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `read your writes`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            let appended = try await harness.append(Deposited(amount: 4))
            let error = await #expect(throws: DionysusError.self) {
                try await board.wait(for: appended, on: harness.database, timeout: .zero)
            }
            #expect(error?.code == .timeout)
            async let waiting: Void = board.wait(for: appended, on: harness.database, timeout: .seconds(60))
            try await harness.relay()
            try await harness.consume(Follow(board))
            try await waiting
            #expect(try await harness.balances() == ["1 4 1"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a DSL for tests of deciders, projections and process managers`(_ kind: TestDatabaseKind) async throws {
        try Specification(Accounts()).given(Opened(owner: "Ada")).when(.deposit(3)).then(Deposited(amount: 3))
        try Specification(Accounts()).when(.deposit(3)).thenThrows(Accounts.Refused.self)
        try ProcessSpecification(Welcome()).given(Opened(owner: "Ada"), in: account)
            .when(Deposited(amount: 1), in: account).then { $0.cancel("idle") }
        try await withTemporaryDatabase(kind) { database in
            let ad = StreamName("ad", "00000000-0000-4000-8000-000000000001")
            let board = try ProjectionSpecification(AdBoard(), on: database)
                .given(AdCreated(title: "Bike", price: 120), AdPublished(), in: ad)
                .given(Opened(owner: "Ada"), in: account)
            try await board.then("SELECT title, state, version FROM ad_board", ["Bike | published | 2"])
            let failure = await #expect(throws: SpecificationFailure.self) {
                try await board.then("SELECT title, state FROM ad_board", ["Bike | draft"])
            }
            #expect(
                failure?.description == """
                    the rows differ, expected (-) and actual (+):
                      - Bike | draft
                      + Bike | published
                    """
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `forgetting people`(_ kind: TestDatabaseKind) async throws {
        let people = EventStore(EventTypes(PersonalEventTests.Registered.self))
        try await EventsHarness.run(kind) { harness in
            let event = PersonalEventTests.Registered(person: "p1", name: "Ada", address: nil, city: "London")
            let stream = StreamName("person", "p1")
            try await people.append([NewEvent(event)], to: stream, on: harness.database)
            func read() async throws -> PersonalEventTests.Registered? {
                try await people.read(stream, on: harness.database).first?.event as? PersonalEventTests.Registered
            }
            #expect(try await read()?.name == "Ada")
            _ = try await harness.write { try people.forget("p1", in: &$0) }
            let forgotten = try await read()
            #expect((forgotten?.name, forgotten?.city) == (nil, "London"))
        }
    }
}
