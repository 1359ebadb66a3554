import Dionysus
import DionysusEvents
import TestSupport
import Testing

@testable import StreamTool

/// Several writers on one stream.
@Suite struct WriterTests {
    private static let rounds = 1_000

    @Test(arguments: TestDatabaseKind.available)
    func `of two writers who expect one position, one wins, a thousand times`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            for round in 0..<Self.rounds {
                let expected = ExpectedPosition.position(Int64(round))
                let wins = await withTaskGroup(of: Bool.self) { group in
                    for writer in 1...2 {
                        group.addTask {
                            do {
                                try await harness.append(Deposited(amount: writer), expecting: expected)
                                return true
                            } catch let error as StreamConflict {
                                #expect(error.found == .position(Int64(round + 1)))
                            } catch {
                                Issue.record(error)
                            }
                            return false
                        }
                    }
                    return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                }
                #expect(wins == 1)
            }
            let positions = try await store.read(account, on: harness.database).map(\.position)
            #expect(positions == Array(1...Int64(Self.rounds)))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `writers who expect nothing all append, one after another`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<25 {
                            try await harness.append(Deposited(amount: writer * 100 + number), Closed())
                        }
                    }
                }
                try await group.waitForAll()
            }
            let events = try await store.read(account, on: harness.database)
            #expect(events.map(\.position) == Array(1...200))
            #expect(Set(events.compactMap { ($0.event as? Deposited)?.amount }).count == 100)
            // What was appended together stands together.
            #expect(events.enumerated().allSatisfy { ($0.offset % 2 == 1) == ($0.element.event is Closed) })
        }
    }
}
