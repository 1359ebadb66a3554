import Dionysus
import DionysusConsumer
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@Suite struct ServiceTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a graceful shutdown finishes the batch in flight, and nothing is applied again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (offsets, continuation) = AsyncStream.makeStream(of: Int64.self)
            let mirror = Mirror(onConsume: { continuation.yield($0.offset) })
            var settings = ConsumerSettings.forTests
            settings.batchSize = 2
            let service = ConsumerService(
                mirror,
                database: replica.database,
                broker: replica.broker,
                settings: settings
            )
            let group = ServiceGroup(services: [service], logger: Logger(label: "test"))
            try await replica.publish((0..<10).map { .rental(.created, $0, name: "rental \($0)") })
            var first: [Int64] = []
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                for await offset in offsets {
                    first.append(offset)
                    break
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            try await replica.consume(mirror)
            continuation.finish()
            for await offset in offsets { first.append(offset) }
            #expect(first == Array(0..<10))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members of a group share the partitions, and each event is applied once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (events, continuation) = AsyncStream.makeStream(of: String.self)
            let mirror = Mirror(onConsume: { continuation.yield("\($0.source) \($0.offset)") })
            try await replica.publish(
                (0..<200).map { .rental(.created, $0, name: "rental \($0)", partition: Int32($0 % 4)) }
            )
            try await withThrowingTaskGroup { tasks in
                for _ in 1...3 { tasks.addTask { try await replica.consume(mirror) } }
                try await tasks.waitForAll()
            }
            continuation.finish()
            let consumed = await events.reduce(into: []) { $0.append($1) }
            #expect(consumed.count == 200)
            #expect(Set(consumed).count == 200)
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["200"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a broker that is away when the consumer joins its group is waited for`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "one"))
            let broker = WatchedBroker(replica.broker, refusals: 2)
            try await ReplicaHarness(database: replica.database, broker: broker).consume()
            #expect(try await replica.rows("SELECT name FROM rentals") == ["one"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a broker that is away when a member gives partitions back is waited for`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "one"))
            let broker = WatchedBroker(replica.broker, refusedReleases: 2)
            let (first, second) = (Assignments(), Assignments())
            try await replica.whileConsuming(first.instrumentation, broker: broker) {
                await first.wait()
                try await replica.whileConsuming(second.instrumentation) { await second.wait() }
            }
            broker.finish()
            let notes = await broker.notes.reduce(into: []) { $0.append($1) }
            #expect(notes.contains { if case .released = $0 { true } else { false } })
            #expect(!notes.contains { if case .lost = $0 { true } else { false } })
        }
    }
}

/// Waits until a consumer has been given partitions.
private struct Assignments {
    let instrumentation = Instrumentation()
    private let stream: AsyncStream<Void>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        self.stream = stream
        instrumentation.monitor.subscribe(to: ReplicaConsumer.PartitionsAssigned.self) { _ in continuation.yield() }
    }

    func wait() async { for await _ in stream { break } }
}
