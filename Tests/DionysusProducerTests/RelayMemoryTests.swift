import Dionysus
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Batches that don't fit into the memory budget.
@Suite struct RelayMemoryTests {
    private static func run(
        _ kind: TestDatabaseKind,
        onFailure: HoldPolicy = .holdRecord,
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        settings.onFailure = onFailure
        settings.memoryBudget = MemoryBudget(bytes: MemoryBudget.smallestSize)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                """
                INSERT INTO rentals (id, account_id, name)
                WITH RECURSIVE numbers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < 40)
                SELECT id, 1, \(String(repeating: "x", count: 20_000)) FROM numbers
                """
            )
            try await body(harness)
        }
    }

    @Test(
        "a batch goes to the broker in slices that fit, in the order of its rows",
        arguments: TestDatabaseKind.available
    )
    func slices(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            let sent = Collected<[Int]>()
            var own = harness
            own.broker = SendWatch(base: harness.broker) { sent.add($0.map { $0.value?.count ?? 0 }) }
            try await own.relay()
            #expect(try await harness.events(in: "v3_rentals") == (1...40).map { "rental_created Rental:\($0)" })
            // A slice takes a quarter of the budget, or is one message.
            #expect(sent.all.allSatisfy { $0.count == 1 || $0.reduce(0, +) < MemoryBudget.smallestSize / 4 })
            #expect(sent.all.contains { $0.count > 1 })
            #expect(harness.settings.memoryBudget.held == 0)
        }
    }

    @Test(
        "records that are much larger than those before them go in slices that fit, too, and one that doesn't fit alone",
        arguments: TestDatabaseKind.available
    )
    func growingRecords(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        let budget = MemoryBudget(bytes: MemoryBudget.smallestSize)
        settings.memoryBudget = budget
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let sizes = [(1...200, 10), (201...240, 20_000), (241...241, 900_000), (242...260, 10)]
            try await harness.write(CaptureTests.account)
            for (ids, size) in sizes {
                try await harness.write(
                    """
                    INSERT INTO rentals (id, account_id, name)
                    WITH RECURSIVE numbers (id) AS
                      (SELECT \(ids.lowerBound) UNION ALL SELECT id + 1 FROM numbers WHERE id < \(ids.upperBound))
                    SELECT id, 1, \(String(repeating: "x", count: size)) FROM numbers
                    """
                )
            }
            let sent = Collected<(sizes: [Int], held: Int)>()
            var own = harness
            own.broker = SendWatch(base: harness.broker) { messages in
                sent.add((messages.map { $0.value?.count ?? 0 }, budget.held))
            }
            try await own.relay()
            #expect(try await harness.events(in: "v3_rentals") == (1...260).map { "rental_created Rental:\($0)" })
            #expect(sent.all.contains { $0.sizes.count > 24 })
            // A slice takes at most twice its quarter of the budget, of which a payload takes a fourth.
            let loaded = budget.size / 4 / 4 * 2
            #expect(sent.all.allSatisfy { $0.sizes.count == 1 || $0.sizes.reduce(0, +) < loaded * 5 / 4 })
            let largest = try #require(sent.all.first { $0.sizes.contains { $0 > 900_000 } })
            #expect(largest.sizes.count == 1 && largest.held == budget.size)
            #expect(budget.held == 0)
        }
    }

    @Test(
        "records whose messages were sent before their batch failed are published by a fresh row if the lane was lost",
        arguments: [(TestDatabaseKind.sqlite, false), (.postgres, false), (.postgres, true)]
            .filter { TestDatabaseKind.available.contains($0.0) }
    )
    func failureBehindASlice(_ kind: TestDatabaseKind, losesLane: Bool) async throws {
        try await Self.run(kind) { harness in
            let database = OnceFailingDatabase(harness.database)
            var own = harness
            own.broker = RefusingBroker(base: harness.broker, refusal: { _ in nil }) {
                // What loads the next slice fails, as does the batch.
                database.failNext()
                guard losesLane else { return }
                _ = try? await harness.database.transaction(.write) { transaction in
                    try transaction.run(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND state = 'idle in transaction'
                        """
                    )
                }
            }
            let pipeline = try await own.pipeline(database: database)
            await #expect(throws: DionysusError.self) { try await pipeline.publishAllLanes() }
            var sent: Set<String> = []
            for topic in ["v3_accounts", "v3_rentals"] {
                sent.formUnion(try await harness.messages(in: topic).map(\.key))
            }
            #expect(!sent.isEmpty && sent.count < 41)
            #expect(try await harness.pending().count == 41 + (losesLane ? sent.count : 0))
            try await harness.relay()
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "rows behind one that the broker has rejected wait, also those of a later slice",
        arguments: TestDatabaseKind.available
    )
    func rejection(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, onFailure: .holdPartitionKey) { harness in
            var own = harness
            own.broker = RefusingBroker.rejecting("Rental:7", harness.broker)
            try await own.relay()
            let events = try await harness.events(in: "v3_rentals")
            // Those of its slice were in flight with it.
            #expect(!events.contains("rental_created Rental:7") && events.count < 20)
            #expect(Array(events.prefix(6)) == (1...6).map { "rental_created Rental:\($0)" })
            #expect(try await harness.pending().count == 40 - events.count)
        }
    }
}

/// A broker that tells what is sent, batch by batch.
private struct SendWatch: BrokerWrapper {
    let base: any MessageBroker
    let onSend: @Sendable ([OutgoingMessage]) -> Void

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        WatchedProducer(base: try await base.makeProducer(options), onSend: onSend)
    }
}

private struct WatchedProducer: MessageProducer {
    let base: any MessageProducer
    let onSend: @Sendable ([OutgoingMessage]) -> Void

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        onSend(messages)
        return await base.send(messages)
    }

    func purge() { base.purge() }

    func close(deadline: Duration) async { await base.close(deadline: deadline) }
}

/// A database of which one transaction fails.
private final class OnceFailingDatabase: CapturingDatabase {
    private let base: any CapturingDatabase
    private let state = Mutex((hasFailed: false, fails: false))

    init(_ base: any CapturingDatabase) { self.base = base }

    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }
    var captureSupport: CaptureSupport { base.captureSupport }

    /// Lets the next transaction fail, unless one has already.
    func failNext() { state.withLock { $0.fails = !$0.hasFailed } }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let fails = state.withLock { state in
            defer { state = (state.hasFailed || state.fails, false) }
            return state.fails
        }
        if fails { throw DionysusError(.databaseUnavailable, "the connection was closed", isRetriable: true) }
        return try await base.transaction(kind, body)
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await base.close() }
}
