import Dionysus
import DionysusConsumer
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Process managers: processes, commands, timers.
@Suite struct ProcessTests {
    private let runner = ProcessRunner(Welcome(), store)
    private let gift = StreamName("gift", "1")

    private func consume(_ harness: EventsHarness, as client: String = "bank") async throws {
        try await harness.relay()
        try await harness.consume(Follow(runner), as: client)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a process begins, goes on and ends by its events`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            // Nothing has begun that this could go on with.
            try await harness.append(Deposited(amount: 1), to: StreamName("account", "2"))
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1), Deposited(amount: 2))
            try await consume(harness)
            let state = try await harness.rows("SELECT id, state FROM dionysus_processes WHERE ended_at IS NULL")
            #expect(state.map { $0.replacing(" ", with: "") } == ["1{\"deposits\":2}"])
            try await harness.append(Closed(), Deposited(amount: 3))
            try await consume(harness)
            #expect(try await harness.rows("SELECT id FROM dionysus_processes WHERE ended_at IS NOT NULL") == ["1"])
            #expect(try await harness.names(gift) == ["1 Deposited"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a process appends names its cause, and is appended once`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"))
            let opened = try #require(try await store.read(account, on: harness.database).first)
            try await consume(harness)
            // Another group reads everything again, and this process has forgotten that it has handled it.
            _ = try await harness.write { transaction in
                try transaction.run(["DELETE FROM dionysus_stream_positions", "DELETE FROM dionysus_timers"])
            }
            try await consume(harness, as: "again")
            let gifts = try await store.read(gift, on: harness.database)
            #expect(gifts.count == 1)
            #expect(gifts.first?.metadata.causationID == opened.id)
            #expect(gifts.first?.metadata.correlationID == opened.id)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a timer fires once when it is due, unless it is cancelled`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"))
            try await harness.append(Opened(owner: "Bob"), Deposited(amount: 1), to: StreamName("account", "2"))
            try await consume(harness)
            let timers = ProcessTimers(runner, harness.database)
            #expect(try await timers.fire(at: Timestamp(microseconds: 1)) == 0)
            async let first = timers.fire(at: Welcome.due)
            async let second = timers.fire(at: Welcome.due)
            #expect(try await first + second >= 1)
            #expect(try await timers.fire(at: Welcome.due) == 0)
            #expect(try await harness.names() == ["1 Opened", "2 Closed"])
            #expect(try await harness.names(StreamName("account", "2")) == ["1 Opened", "2 Deposited"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an effect that fails undoes the others of its event`(_ kind: TestDatabaseKind) async throws {
        struct Broken: Error {}
        struct Failing: ProcessManager {
            let name = "failing"
            let initialState = Welcome.State()
            func route(_ event: RecordedEvent) -> ProcessRoute { .start(event.stream.id) }
            func handle(_ event: RecordedEvent, _ state: inout Welcome.State, _ effects: inout ProcessEffects) {
                effects.append(Deposited(amount: 1), to: StreamName("gift", "1"))
                effects.perform("break") { _, _ in throw Broken() }
            }
        }
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"))
            let events = try await store.read(account, on: harness.database)
            let failing = ProcessRunner(Failing(), store)
            await #expect(throws: Broken.self) { try await harness.write { try failing.handle(events, in: &$0) } }
            #expect(try await harness.names(gift).isEmpty)
            #expect(try await harness.rows("SELECT stream FROM dionysus_stream_positions").isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events that start one process at the same moment all count`(_ kind: TestDatabaseKind) async throws {
        struct Counting: ProcessManager {
            let name = "counting"
            let initialState = Welcome.State()
            func route(_ event: RecordedEvent) -> ProcessRoute { .start("all") }
            func handle(_ event: RecordedEvent, _ state: inout Welcome.State, _ effects: inout ProcessEffects) {
                state.deposits += 1
            }
        }
        try await EventsHarness.run(kind) { harness in
            let counting = ProcessRunner(Counting(), store)
            var batches: [[RecordedEvent]] = []
            for id in ["1", "2", "3", "4"] {
                let stream = StreamName("account", id)
                try await harness.append(Opened(owner: "Ada"), to: stream)
                batches.append(try await store.read(stream, on: harness.database))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for events in batches {
                    group.addTask { try await harness.write { try counting.handle(events, in: &$0) } }
                }
                try await group.waitForAll()
            }
            let states = try await harness.rows("SELECT state FROM dionysus_processes")
            #expect(states.map { $0.replacing(" ", with: "") } == ["{\"deposits\":4}"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `streams whose names look alike but differ in bytes are followed apart`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            var events: [RecordedEvent] = []
            for id in ["\u{e9}", "e\u{301}"] {
                let stream = StreamName("account", id)
                try await harness.append(Opened(owner: "Ada"), to: stream)
                events += try await store.read(stream, on: harness.database)
            }
            let both = events
            try await harness.write { try runner.handle(both, in: &$0) }
            let processes = try await harness.rows("SELECT id FROM dionysus_processes")
            #expect(processes.count == 2)
        }
    }
}
