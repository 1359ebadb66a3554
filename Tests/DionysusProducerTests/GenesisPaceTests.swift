import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// When the chunks of a run are due, and how runs are paused and ended.
@Suite struct GenesisPaceTests {
    @Test(
        "a run over half a day is spread over twelve hours, and a relay until empty leaves later chunks",
        arguments: TestDatabaseKind.available
    )
    func halfADay(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(240)
            let id = try await harness.genesis
                .start(
                    topic: "v3_rentals",
                    model: "Rental",
                    over: .seconds(43_200)
                )
                .id
            try await harness.relay()
            var run = try await harness.genesis.run(id)
            #expect(run.state == .running && run.isSplit && run.chunks == 24)
            #expect(run.chunksQueued == 1 && run.recordsPublished == 10)
            #expect(run.estimatedEnd == run.startsAt + 43_200 * 23 / 24)

            try await harness.advance(run, by: .seconds(3_600 * 6))
            try await harness.relay()
            run = try await harness.genesis.run(id)
            #expect(run.state == .running)
            #expect(run.chunksDone == 13)
            #expect(run.recordsPublished == 130)

            try await harness.advance(run, by: .seconds(3_600 * 6))
            try await harness.relay()
            run = try await harness.genesis.run(id)
            #expect(run.state == .completed)
            #expect(run.recordsPublished == 240)
        }
    }

    @Test("the chunks of a spread run are due evenly, from its start on")
    func dueTimes() {
        let start = Timestamp(microseconds: 1_700_000_000_000_000)
        func due(after seconds: Double) -> Int64 {
            GenesisRun.chunksDue(4, startsAt: start, spread: 100, at: start + seconds)
        }
        #expect(due(after: -1) == 0)
        #expect(due(after: 0) == 1)
        #expect(due(after: 24.9) == 1)
        #expect(due(after: 25) == 2)
        #expect(due(after: 75) == 4)
        #expect(due(after: 1_000_000) == 4)
        #expect(GenesisRun.chunksDue(4, startsAt: start, spread: nil, at: start) == 4)
    }

    @Test("a paused run takes no chunk until it is resumed", arguments: TestDatabaseKind.available)
    func pause(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind, maxPendingRows: 10) { harness in
            try await harness.addRentals(30)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            #expect(try await harness.genesis.pause(id).state == .paused)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 10)
            #expect(try await harness.genesis.resume(id).state == .running)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 30)
        }
    }

    @Test("what a spread run was paused for is not made up for", arguments: TestDatabaseKind.available)
    func pausedSpread(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(240)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental", over: .seconds(86_400)).id
            try await harness.relay()
            let paused = try await harness.genesis.pause(id)
            let past = paused.readAt + -43_200
            try await harness.write(
                "UPDATE dionysus_genesis_runs SET starts_at = \(past), paused_at = \(past) WHERE id = \(id)"
            )
            _ = try await harness.genesis.resume(id)
            try await harness.relay()
            #expect(try await harness.genesis.run(id).chunksDone == 1)
        }
    }

    @Test("a cancelled run ends with what it has queued", arguments: TestDatabaseKind.available)
    func cancel(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind, maxPendingRows: 10) { harness in
            try await harness.addRentals(30)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            let cancelled = try await harness.genesis.cancel(id)
            #expect(cancelled.state == .cancelled && cancelled.finishedAt != nil)
            #expect(cancelled.recordsQueued == 10)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 10)
            #expect(try await harness.value("SELECT count(*) FROM dionysus_genesis_chunks") == .integer(0))
        }
    }

    @Test(
        "a run is only paused, resumed or cancelled from where that makes sense",
        arguments: TestDatabaseKind.available
    )
    func conflicts(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            let genesis = harness.genesis
            let id = try await genesis.start(topic: "v3_rentals", model: "Rental").id
            func code(_ body: () async throws -> GenesisRun) async throws -> DionysusError.Code {
                try await #require(throws: DionysusError.self) { try await body() }.code
            }
            #expect(try await code { try await genesis.resume(id) } == .conflict)
            _ = try await genesis.pause(id)
            #expect(try await code { try await genesis.pause(id) } == .conflict)
            _ = try await genesis.cancel(id)
            #expect(try await code { try await genesis.cancel(id) } == .conflict)
            #expect(try await code { try await genesis.resume(id) } == .conflict)
            #expect(try await code { try await genesis.pause(id + 1) } == .notFound)
            #expect(try await code { try await genesis.run(id + 1) } == .notFound)
        }
    }
}
