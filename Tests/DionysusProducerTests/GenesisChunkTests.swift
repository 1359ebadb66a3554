import Dionysus
import Foundation
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// How a run is split and its chunks are taken.
@Suite struct GenesisChunkTests {
    @Test(
        "a sparse table of ids up to 100,000,000 is split by its rows, in several transactions",
        arguments: TestDatabaseKind.available
    )
    func sparse(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind, chunkSize: 20) { harness in
            try await harness.addRentals(3_000, every: 33_333)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            let worker = try await harness.genesisWorker()
            var known: [Int64] = []
            repeat {
                #expect(try await worker.step() == .worked)
                known.append(try await harness.genesis.run(id).chunks)
            } while try await !harness.genesis.run(id).isSplit
            #expect(known == [50, 100, 150, 150])
            // Streaming has begun meanwhile.
            #expect(try await harness.genesis.run(id).recordsQueued > 0)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 3_000)
            #expect(try await harness.genesis.run(id).state == .completed)
        }
    }

    @Test("tables with uuid and with text keys are split as well", arguments: TestDatabaseKind.available)
    func otherKeys(_ kind: TestDatabaseKind) async throws {
        let uuid = kind == .postgres ? "uuid" : "UUID"
        let tables: [SQL] = [
            "CREATE TABLE tokens (id \(raw: uuid) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL)",
        ]
        try await ProducerHarness.genesis(kind, producer: KeySync(), tables: tables) { harness in
            let ids = (0..<35).map { _ in UUID() }
            let codes = (0..<35).map { "\($0 % 2 == 0 ? "Ä" : "a")'\($0)" }
            for (id, code) in zip(ids, codes) {
                try await harness.write(
                    "INSERT INTO tokens (id, name) VALUES (\(id), 'a')",
                    "INSERT INTO countries (code, name) VALUES (\(code), 'a')"
                )
            }
            try await harness.settle()
            let first = try await harness.genesis.start(topic: "v3_keys", model: "Token").id
            let second = try await harness.genesis.start(topic: "v3_keys", model: "Country").id
            try await harness.relay()
            let keys = try await harness.messages(in: "v3_keys").map(\.key)
            let expected = ids.map { "Token:\($0.uuidString.lowercased())" } + codes.map { "Country:\($0)" }
            #expect(keys.sorted() == expected.sorted())
            #expect(try await harness.genesis.run(first).chunks == 4)
            #expect(try await harness.genesis.run(second).chunks == 4)
        }
    }

    @Test("from and to need a time column", arguments: TestDatabaseKind.available)
    func timeless(_ kind: TestDatabaseKind) async throws {
        let tables: [SQL] = [
            "CREATE TABLE tokens (id uuid PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL)",
        ]
        try await ProducerHarness.genesis(kind, producer: KeySync(), tables: tables) { harness in
            let error = try await #require(throws: DionysusError.self) {
                try await harness.genesis.start(
                    topic: "v3_keys",
                    model: "Token",
                    selecting: GenesisSelection(from: .now)
                )
            }
            #expect(error.description.contains("no column updated_at"))
        }
    }

    @Test(
        "a chunk costs as many statements as any other, however many records it has",
        arguments: TestDatabaseKind.available
    )
    func statements(_ kind: TestDatabaseKind) async throws {
        var counts: [Int] = []
        for size in [1, 1_000] {
            try await ProducerHarness.genesis(kind, chunkSize: size) { harness in
                try await harness.addRentals(size)
                _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
                let watched = WatchedDatabase(harness.database)
                let worker = try await harness.genesisWorker(on: watched)
                _ = watched.takeStatements()
                while try await worker.step() == .worked {}
                counts.append(watched.takeStatements().count)
                #expect(try await harness.pending().count == size)
            }
        }
        #expect(counts[0] == counts[1])
    }

    @Test("a chunk's rows are looked at by a range of the primary key", arguments: TestDatabaseKind.available)
    func plan(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            let statements = GenesisStatements(
                tables: harness.database.outbox.tables,
                dialect: harness.database.dialect
            )
            let plan = try await harness.database.transaction(.write) { transaction in
                let run = try #require(try transaction.run(statements.active()).first.map { try ActiveRun($0) })
                let statement = statements.unpublished(run, .queued, limit: 5)
                if kind == .sqlite {
                    return try transaction.run("EXPLAIN QUERY PLAN \(statement)").rows.compactMap { try $0.text(3) }
                }
                // An empty table is read whole otherwise.
                try transaction.run("SET LOCAL enable_seqscan = off")
                try transaction.run("SET LOCAL enable_bitmapscan = off")
                return try transaction.run("EXPLAIN \(statement)").rows.compactMap { try $0.text(0) }
            }
            let access = plan.filter { $0.contains("dionysus_outboxes") || $0.contains("SEARCH o") }
            #expect(access.count == 1)
            #expect(access.allSatisfy { $0.contains("dionysus_outboxes_pkey") || $0.contains("INTEGER PRIMARY KEY") })
        }
    }

    @Test("without runs a worker asks one cheap question at a time", arguments: TestDatabaseKind.available)
    func idle(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(3)
            _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            try await harness.relay()
            let watched = WatchedDatabase(harness.database)
            let worker = try await harness.genesisWorker(on: watched)
            _ = watched.takeStatements()
            #expect(try await worker.step() == .idle)
            #expect(watched.takeStatements().count == 1)
        }
    }

    @Test(
        "a worker takes no more chunks while many of the run's rows wait to be published",
        arguments: TestDatabaseKind.available
    )
    func backPressure(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind, maxPendingRows: 25) { harness in
            try await harness.addRentals(200)
            _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            #expect(try await harness.pending().count == 30)
            // Failed rows don't count: nothing waits behind those of other records.
            try await harness.write(
                "UPDATE dionysus_outboxes SET failed_at = created_at, retry_at = created_at WHERE published_at IS NULL"
            )
            while try await worker.step() == .worked {}
            #expect(try await harness.pending().count == 60)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 200)
        }
    }

    @Test("workers that are at it together take each chunk once", arguments: TestDatabaseKind.available)
    func together(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(2_000)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    let worker = try await harness.genesisWorker()
                    group.addTask {
                        while try await harness.genesis.run(id).recordsQueued < 2_000 { _ = try await worker.step() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await harness.pending().count == 2_000)
            #expect(
                try await harness.value("SELECT count(DISTINCT resource_id) FROM dionysus_outboxes") == .integer(2_000)
            )
            let run = try await harness.genesis.run(id)
            #expect(run.chunks == 200 && run.chunksQueued == 200)
        }
    }

    @Test(
        "a worker outlasts a database that goes away, also when it doesn't know whether it has committed",
        arguments: TestDatabaseKind.available
    )
    func outage(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(120)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            let flaky = FlakyDatabase(base: harness.database)
            let worker = try await harness.genesisWorker(on: flaky)
            let queue = LaneQueue()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.run(queue, onQueued: {}) }
                group.addTask {
                    while try await harness.genesis.run(id).state != .completed {
                        try await harness.write(
                            "UPDATE dionysus_outboxes SET published_at = created_at WHERE published_at IS NULL"
                        )
                    }
                    queue.close()
                }
                try await group.waitForAll()
            }
            #expect(flaky.failures > 2)
            #expect(try await harness.value("SELECT count(*) FROM dionysus_outboxes") == .integer(120))
            #expect(
                try await harness.value("SELECT count(DISTINCT resource_id) FROM dionysus_outboxes") == .integer(120)
            )
        }
    }

    @Test(
        "a streamer of the application's own replaces the writing to the outbox",
        arguments: TestDatabaseKind.available
    )
    func streamer(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(25)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            var hooks = GenesisHooks()
            hooks.streamer = EvenIDs()
            try await harness.relay(hooks: hooks)
            let keys = try await harness.messages(in: "v3_rentals").map(\.key)
            #expect(Set(keys) == Set(stride(from: 2, through: 25, by: 2).map { "Rental:\($0)" }))
            #expect(keys.count == 12)
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed && run.recordsPublished == 12)
        }
    }

    @Test(
        "a run names what streams it; a name that nothing has is refused, and fails the run where a relay lacks it",
        arguments: TestDatabaseKind.available
    )
    func namedStreamer(_ kind: TestDatabaseKind) async throws {
        struct Named: Producer {
            let genesisStreamers: [String: any GenesisStreamer] = ["even": EvenIDs()]
            var namespaces: [Namespace] { BookingSync().namespaces }
        }
        try await ProducerHarness.genesis(kind, producer: Named()) { harness in
            try await harness.addRentals(25)
            let error = try await #require(throws: DionysusError.self) {
                try await harness.genesis.start(topic: "v3_rentals", model: "Rental", streamer: "odd")
            }
            #expect(error.code == .notFound && error.description.contains("odd") && error.description.contains("even"))
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental", streamer: "even").id
            let older = ProducerHarness(
                database: harness.database,
                broker: harness.broker,
                registry: Registry(BookingSync(), settings: harness.settings),
                settings: harness.settings
            )
            try await older.relay(hooks: GenesisHooks())
            let failed = try await harness.genesis.run(id)
            #expect(failed.state == .failed && failed.error?.contains("no genesis streamer even") == true)
            _ = try await harness.genesis.resume(id)
            try await harness.relay(hooks: GenesisHooks())
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed && run.streamer == "even")
            #expect(try await harness.events(in: "v3_rentals").count == 12)
            // One that names none takes the usual way.
            _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            try await harness.relay(hooks: GenesisHooks())
            #expect(try await harness.events(in: "v3_rentals").count == 12 + 25)
        }
    }

    @Test(
        "a chunk that fails leaves nothing behind, and its run goes on when it is resumed",
        arguments: TestDatabaseKind.available
    )
    func failure(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(25)
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            var hooks = GenesisHooks()
            hooks.streamer = Failing()
            try await harness.relay(hooks: hooks)
            let failed = try await harness.genesis.run(id)
            #expect(failed.state == .failed)
            #expect(failed.error == "the second chunk is not wanted")
            #expect(try await harness.events(in: "v3_rentals").count == 10)
            _ = try await harness.genesis.resume(id)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").count == 25)
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed && run.error == nil)
        }
    }
}

private struct EvenIDs: GenesisStreamer {
    func stream(_ chunk: GenesisChunk, in transaction: inout Transaction) throws -> GenesisRows {
        let ids = try chunk.recordIDs(in: &transaction)
        return try chunk.queue(ids.filter { (Int($0) ?? 1).isMultiple(of: 2) } + ["1000"], in: &transaction)
    }
}

private struct Failing: GenesisStreamer {
    func stream(_ chunk: GenesisChunk, in transaction: inout Transaction) throws -> GenesisRows {
        let rows = try chunk.queue(in: &transaction)
        if chunk.number == 1 { throw DionysusError(.application, "the second chunk is not wanted") }
        return rows
    }
}

private struct Token: Model {
    var id: UUID
    var name: String
    enum CodingKeys: String, CodingKey { case id, name }
}

private struct Country: Model {
    var code: String
    var name: String
    enum CodingKeys: String, CodingKey { case code, name }
    static let tableName = "countries"
    static let primaryKey = "code"
}

private struct KeySync: Producer {
    var namespaces: [Namespace] {
        Namespace(
            "v3",
            serializers: Serializers {
                Whole(Token.self); Whole(Country.self)
            }
        ) {
            Topic("keys") {
                Publish(Token.self)
                Publish(Country.self)
            }
        }
    }
}
