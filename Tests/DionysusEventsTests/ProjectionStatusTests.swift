import Dionysus
import DionysusEvents
import MetricsTestKit
import TestSupport
import Testing

@testable import StreamTool

/// How far projections are, for people and for metrics.
@Suite struct ProjectionStatusTests {
    private let board = Projector(Balances(), store)

    @Test(arguments: TestDatabaseKind.available)
    func `the status tells version, position and lag, of followed streams alone`(_ kind: TestDatabaseKind) async throws
    {
        try await EventsHarness.run(kind) { harness in
            #expect(try await ProjectionStatus.all(on: harness.database).isEmpty)
            try await harness.write { try board.create(in: &$0) }
            func status() async throws -> ProjectionStatus {
                try #require(try await ProjectionStatus.all(on: harness.database).first)
            }
            #expect(try await status().lag == 0)
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4))
            try await harness.append(Closed(), to: StreamName("card", "1"))
            let unnumbered = try await status()
            #expect((unnumbered.position, unnumbered.last, unnumbered.lag) == (0, 0, 2))
            #expect(unnumbered.lagSeconds > 0)
            try await EventOrder().extend(on: harness.database)
            let behind = try await status()
            #expect((behind.name, behind.version, behind.position, behind.last) == ("balances", 1, 0, 3))
            #expect(behind.lag == 2)
            try await harness.relay()
            try await harness.consume(Follow(board))
            let done = try await status()
            #expect((done.position, done.lag, done.lagSeconds, done.rebuild) == (3, 0, 0, nil))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the position is that of the first event that is missing`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            for number in 0..<6 { try await harness.append(Closed(), to: StreamName("account", "\(number % 3)")) }
            try await EventOrder().extend(on: harness.database)
            let second = try await store.read(StreamName("account", "1"), on: harness.database)
            try await harness.write { try board.handle(second, in: &$0) }
            let first = try await store.read(StreamName("account", "0"), through: 1, on: harness.database)
            try await harness.write { try board.handle(first, in: &$0) }
            let status = try #require(try await ProjectionStatus.all(on: harness.database).first)
            #expect((status.position, status.lag) == (2, 3))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `metrics show the lag, and how much of a rebuild remains`(_ kind: TestDatabaseKind) async throws {
        struct Stop: Error {}
        try await EventsHarness.run(kind) { harness in
            try await harness.write { try board.create(in: &$0) }
            try await harness.append(to: account, count: 10)
            let metrics = TestMetrics()
            var instrumentation = Instrumentation()
            instrumentation.metricsFactory = metrics
            let monitor = ProjectionMonitor(harness.database, instrumentation: instrumentation)
            func gauge(_ name: String) throws -> Double? {
                try metrics.expectRecorder("dionysus.projection.\(name)", [("projection", "balances")]).lastValue
            }
            let new = Projector(Balances(version: 2), store)
            do {
                _ = try await ProjectionRebuild(of: new, on: harness.database, batchSize: 4).run { _ in throw Stop() }
            } catch is Stop {}
            try await monitor.report()
            #expect(try gauge("lag.events") == 10)
            #expect(try #require(try gauge("lag.age")) > 0)
            #expect(try gauge("rebuild.remaining") == 6)
            let status = try #require(try await ProjectionStatus.all(on: harness.database).first)
            #expect(status.rebuild.map { [$0.version, Int($0.position)] } == [2, 4])
            _ = try await ProjectionRebuild(of: new, on: harness.database, batchSize: 4).run()
            try await monitor.report()
            #expect(try gauge("lag.events") == 0)
            #expect(try gauge("lag.age") == 0)
            #expect(metrics.recorders.allSatisfy { $0.label != "dionysus.projection.rebuild.remaining" })
            #expect(try await ProjectionStatus.all(on: harness.database).first?.version == 2)
        }
    }
}
