import Dionysus
import DionysusConsumer
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Read models made anew beside those that are read.
@Suite struct RebuildTests {
    private let board = Projector(Balances(), store)

    private func fill(_ harness: EventsHarness, streams: Int = 20, events: Int = 10) async throws {
        for stream in 0..<streams { try await harness.append(to: StreamName("account", "\(stream)"), count: events) }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuilt projection has the new rules, and goes on where the old one was`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4))
            try await harness.append(Deposited(amount: 5), to: StreamName("card", "1"))
            try await harness.relay()
            try await harness.consume(Follow(board))
            let new = Projector(Balances(version: 2, factor: 10), store)
            let report = try await ProjectionRebuild(of: new, on: harness.database, batchSize: 2).run()
            #expect(report.events == 3)
            #expect(try await harness.balances() == ["1 40 2"])
            try await harness.append(Deposited(amount: 1))
            try await harness.relay()
            try await harness.consume(Follow(new))
            #expect(try await harness.balances() == ["1 50 3"])
            // The third generation meets nothing that the second has left.
            _ = try await ProjectionRebuild(of: board, on: harness.database).run()
            #expect(try await harness.balances() == ["1 5 3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuild that runs ahead of the broker applies nothing twice`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            try await fill(harness, streams: 5)
            _ = try await ProjectionRebuild(of: board, on: harness.database, batchSize: 7).run()
            let rebuilt = try await harness.balances()
            #expect(rebuilt == (0..<5).map { "\($0) 55 10" })
            try await harness.relay()
            try await harness.consume(Follow(board))
            #expect(try await harness.balances() == rebuilt)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuild beside appends and inline updates loses nothing`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            let inline = store.handlingInline(board.handler)
            for stream in 0..<5 {
                let events = (1...40).map { NewEvent(Deposited(amount: $0)) }
                try await inline.append(events, to: StreamName("account", "\(stream)"), on: harness.database)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for stream in 0..<5 {
                    group.addTask {
                        for _ in 0..<20 {
                            let event = NewEvent(Deposited(amount: 1))
                            try await inline.append(
                                [event],
                                to: StreamName("account", "\(stream)"),
                                on: harness.database
                            )
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<3 {
                        _ = try await ProjectionRebuild(of: board, on: harness.database, batchSize: 30).run()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await harness.balances() == (0..<5).map { "\($0) 840 60" })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuild that stopped is continued, and one of another version begins anew`(
        _ kind: TestDatabaseKind
    ) async throws {
        struct Stop: Error {}
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            try await fill(harness, streams: 5)
            func stopped() async {
                await #expect(throws: Stop.self) {
                    try await ProjectionRebuild(of: board, on: harness.database, batchSize: 20)
                        .run { if $0 >= 20 { throw Stop() } }
                }
            }
            await stopped()
            #expect(try await harness.balances().isEmpty)
            let report = try await ProjectionRebuild(of: board, on: harness.database, batchSize: 20).run()
            #expect(report.wasResumed)
            #expect(report.events == 30)
            #expect(try await harness.balances() == (0..<5).map { "\($0) 55 10" })
            await stopped()
            let new = Projector(Balances(version: 2, factor: 2), store)
            let other = try await ProjectionRebuild(of: new, on: harness.database, batchSize: 20).run()
            #expect(!other.wasResumed)
            #expect(try await harness.balances() == (0..<5).map { "\($0) 110 10" })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuild that one of another version has replaced ends with a conflict`(
        _ kind: TestDatabaseKind
    ) async throws {
        struct Stop: Error {}
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            try await fill(harness, streams: 5)
            let new = Projector(Balances(version: 2, factor: 2), store)
            let other = ProjectionRebuild(of: new, on: harness.database, batchSize: 20)
            var found: DionysusError?
            do {
                _ = try await ProjectionRebuild(of: board, on: harness.database, batchSize: 20)
                    .run { _ in
                        do { _ = try await other.run { _ in throw Stop() } } catch is Stop {}
                    }
            } catch let error as DionysusError { found = error }
            #expect(found?.code == .conflict)
        }
    }
}
