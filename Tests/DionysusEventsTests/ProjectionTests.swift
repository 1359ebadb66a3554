import Dionysus
import DionysusConsumer
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Read models: by a consumer, inline, and waiting for them.
@Suite struct ProjectionTests {
    @Test(arguments: TestDatabaseKind.available)
    func `events reach a projection through outbox, relay and consumer, once`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            for id in 1...5 {
                try await harness.append(
                    Opened(owner: "Ada"),
                    Deposited(amount: id),
                    to: StreamName("account", "\(id)")
                )
            }
            try await harness.relay()
            try await harness.consume(Follow(board))
            let once = (1...5).map { "\($0) \($0) 2" }
            #expect(try await harness.balances() == once)
            // Another group reads everything from the beginning.
            try await harness.consume(Follow(board), as: "again")
            #expect(try await harness.balances() == once)
            try await harness.append(Deposited(amount: 10))
            try await harness.relay()
            try await harness.consume(Follow(board))
            #expect(try await harness.balances().first == "1 11 3")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event whose predecessor is missing is not applied`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1), Deposited(amount: 2))
            let events = try await store.read(account, on: harness.database)
            let error = await #expect(throws: DionysusError.self) {
                try await harness.write { try board.handle([events[0], events[2]], in: &$0) }
            }
            #expect(
                error?.message == "balances has handled stream account-1 up to position 1, and position 3 came next"
            )
            #expect(try await harness.balances().isEmpty)
            try await harness.write { try board.handle([events[0], events[1]], in: &$0) }
            try await harness.write { try board.handle([events[0], events[1], events[2]], in: &$0) }
            #expect(try await harness.balances() == ["1 3 3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an inline projection changes in the transaction that appends`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            let inline = store.handlingInline(board.handler)
            let events = [NewEvent(Opened(owner: "Ada")), NewEvent(Deposited(amount: 4))]
            _ = try? await harness.write { transaction in
                try inline.append(events, to: account, in: &transaction)
                throw CancellationError()
            }
            #expect(try await harness.balances().isEmpty)
            try await inline.append(events, to: account, on: harness.database)
            try await inline.append(events, to: account, on: harness.database)
            #expect(try await harness.balances() == ["1 4 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events that a reader leaves out still count`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), EventStore(EventTypes(Deposited.self).unknown(.skip)))
            try await harness.write { try board.create(in: &$0) }
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4), Closed(), Deposited(amount: 1))
            try await harness.relay()
            try await harness.consume(Follow(board))
            #expect(try await harness.balances() == ["1 5 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a writer waits until a projection has seen its append, or for a time`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            let appended = try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4))
            let error = await #expect(throws: DionysusError.self) {
                try await board.wait(for: appended, on: harness.database, timeout: .zero)
            }
            #expect(error?.code == .timeout)
            await #expect(throws: DionysusError.self) {
                try await board.wait(forGlobalPosition: 2, on: harness.database, timeout: .zero)
            }
            async let waiting: Void = board.wait(for: appended, on: harness.database, timeout: .seconds(60))
            async let globally: Void = board.wait(forGlobalPosition: 2, on: harness.database, timeout: .seconds(60))
            try await harness.relay()
            try await harness.consume(Follow(board))
            try await waiting
            try await globally
            #expect(try await harness.balances() == ["1 4 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `several versions of a projection are kept side by side`(_ kind: TestDatabaseKind) async throws {
        struct Doubled: Projection {
            let name = "doubled"
            let tables = ["doubled"]
            let balances = Balances(factor: 2)
            func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
                try transaction.run("CREATE TABLE \(identifier: tables["doubled"]) (id text PRIMARY KEY, n bigint)")
            }
            func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws
            {
                for event in events {
                    guard let deposited = event.event as? Deposited else { continue }
                    try transaction.run(
                        """
                        INSERT INTO \(identifier: tables["doubled"]) AS d (id, n)
                        VALUES (\(event.stream.id), \(deposited.amount * 2))
                        ON CONFLICT (id) DO UPDATE SET n = d.n + excluded.n
                        """
                    )
                }
            }
        }
        try await EventsHarness.run(kind) { harness in
            let projectors = [Projector(Balances(), store), Projector(Doubled(), store)]
            try await harness.write { transaction in
                for projector in projectors { try projector.create(in: &transaction) }
            }
            try await harness.append(Deposited(amount: 4), Deposited(amount: 5))
            try await harness.relay()
            try await harness.consume(Follow(projectors[0], projectors[1]))
            #expect(try await harness.balances() == ["1 9 2"])
            #expect(try await harness.rows("SELECT id, n FROM doubled") == ["1 18"])
        }
    }
}
