import Dionysus
import DionysusPostgres
import TestSupport
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PoolTests {
    @Test func `Waiting for a connection ends with an error that says what to do`() async throws {
        var options = PostgresOptions(maxConnections: 1)
        options.acquireTimeout = .milliseconds(20)
        let database = try SharedDatabase.open(options)
        let place = Rendezvous()
        async let holder: Void = database.transaction(.write) { _ in place.arriveAndWait() }
        await place.awaitArrivals()
        let error = await #expect(throws: DionysusError.self) {
            try await database.transaction(.write) { try $0.run("SELECT 1") }
        }
        place.letGo()
        try await holder
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.isRetriable == true)
        #expect(error?.advice != nil)
        _ = try await database.transaction(.write) { try $0.run("SELECT 1") }
        await database.close()
    }

    @Test func `A task that is cancelled stops waiting for a connection`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        let place = Rendezvous()
        async let holder: Void = database.transaction(.write) { _ in place.arriveAndWait() }
        await place.awaitArrivals()
        let waiting = Task { try await database.transaction(.write) { try $0.run("SELECT 1") } }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        place.letGo()
        try await holder
        await database.close()
    }

    @Test func `All connections work at the same time, however few processors there are`() async throws {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 24))
        let place = Rendezvous()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<24 {
                group.addTask {
                    try await database.transaction(.write) { transaction in
                        try transaction.run("SELECT 1")
                        place.arriveAndWait()
                    }
                }
            }
            await place.awaitArrivals(24)
            place.letGo(24)
            try await group.waitForAll()
        }
        await database.close()
    }

    @Test func `Closing waits for running transactions`() async throws {
        let database = try SharedDatabase.open()
        let place = Rendezvous()
        async let holder = database.transaction(.write) { transaction in
            place.arriveAndWait()
            return try transaction.run("SELECT 7").first?.integer(0)
        }
        await place.awaitArrivals()
        async let closing: Void = database.close()
        place.letGo()
        #expect(try await holder == 7)
        await closing
        await #expect(throws: DionysusError.self) { try await database.transaction(.write) { try $0.run("SELECT 1") } }
    }

    @Test(arguments: [false, true])
    func
        `A connection that a large value has gone through, in whichever direction, is closed, because it keeps the memory`(
            isReceived: Bool
        ) async throws
    {
        let database = try SharedDatabase.open(PostgresOptions(maxConnections: 1))
        func process() async throws -> Int64? {
            try await database.transaction(.write) { try $0.run("SELECT pg_backend_pid()").first?.integer(0) }
        }
        func pass(_ size: Int) async throws {
            try await database.transaction(.write) { transaction in
                if isReceived {
                    _ = try transaction.run("SELECT repeat('x', \(raw: String(size)))")
                } else {
                    _ = try transaction.run("SELECT length(\(String(repeating: "x", count: size)))")
                }
            }
        }
        let first = try await process()
        try await pass(100_000)
        #expect(try await process() == first)
        try await pass(10_000_000)
        #expect(try await process() != first)
        await database.close()
    }
}
