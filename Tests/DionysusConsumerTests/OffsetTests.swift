import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct OffsetTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a consumer goes on where the database says, whatever the broker has been told`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let consumed = Mutex<[Int64]>([])
            let mirror = Mirror(onConsume: { event in consumed.withLock { $0.append(event.offset) } })
            try await replica.publish((1...5).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(mirror)
            try await replica.consume(mirror)
            #expect(consumed.withLock { $0 } == [0, 1, 2, 3, 4])

            try await replica.database.transaction(.write) {
                _ = try $0.run("UPDATE dionysus_offsets SET next_offset = 3")
            }
            try await replica.consume(mirror)
            #expect(consumed.withLock { $0 } == [0, 1, 2, 3, 4, 3, 4])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when another member has moved the offset, nothing is applied twice`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let consumed = Mutex<[Int64]>([])
            let database = replica.database
            // The first reaction comes after the first batch: another member takes over before the second.
            var mirror = Mirror(onConsume: { event in
                let isFirst = consumed.withLock { offsets in
                    offsets.append(event.offset)
                    return offsets.count == 1
                }
                guard isFirst else { return }
                try await database.transaction(.write) {
                    _ = try $0.run("UPDATE dionysus_offsets SET next_offset = 4")
                }
            })
            // Reactions come before the next batch where middleware sees the end of each.
            mirror.rentals = mirror.rentals.middleware(Bystander())
            var settings = ConsumerSettings.forTests
            settings.batchSize = 2
            try await replica.publish((1...6).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(mirror, settings: settings)
            #expect(consumed.withLock { $0 } == [0, 1, 4, 5])
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: TestDatabaseKind.available)
    func `no batch waits for the broker to take note of an offset, and no partition is given back before it has`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let broker = SlowlyToldBroker(base: replica.broker)
            let mirror = Mirror(onConsume: { event in if event.offset == 5 { broker.takeNote() } })
            var settings = ConsumerSettings.forTests
            settings.batchSize = 2
            try await replica.publish((1...6).map { .rental(.created, $0, name: "rental \($0)") })
            try await ReplicaHarness(database: replica.database, broker: broker).consume(mirror, settings: settings)
            let partition = TopicPartition("v3_rentals", 0)
            let group = ConsumerOptions(clientID: "test", groupID: settings.effectiveGroupID, topics: ["v3_rentals"])
            let committed = try await replica.broker.committedPositions(of: group, in: [partition])
            #expect(committed[partition]?.offset == 6)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `many partitions with events of the same records, in any order, give the newest state`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var generator = SystemRandomNumberGenerator()
            let versions = (1...20).map { id in (1...12).map { (id: id, version: Int64($0)) } }
            let messages = versions.flatMap(\.self).shuffled(using: &generator)
                .map { record in
                    // Every third record is destroyed in the end.
                    let isDestroyed = record.id % 3 == 0 && record.version == 12
                    return WireMessage.rental(
                        isDestroyed ? .destroyed : .updated,
                        record.id,
                        name: isDestroyed ? nil : "\(record.id) in version \(record.version)",
                        partition: Int32.random(in: 0..<4),
                        version: record.version
                    )
                }
            var settings = ConsumerSettings.forTests
            settings.batchSize = 30
            try await replica.publish(messages)
            try await replica.consume(settings: settings)
            let rows = try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
            #expect(rows == (1...20).filter { $0 % 3 != 0 }.map { "\($0) in version 12" })
            #expect(try await replica.rows("SELECT error_message FROM dionysus_failures") == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the lag counts what is still to be applied, in every partition`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let lag = ConsumerLag(
                Mirror(),
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            #expect(try await lag.partitions().isEmpty)
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)", partition: 1) })
            #expect(try await lag.partitions().map(\.lag) == [0, 3, 0, 0])
            try await replica.consume()
            #expect(try await lag.partitions().map(\.lag) == [0, 0, 0, 0])
            #expect(try await lag.partitions().map(\.position) == [0, 3, 0, 0])
        }
    }
}

/// A broker that takes no note of offsets until it may; that a partition was claimed, it notes at once.
private struct SlowlyToldBroker: BrokerWrapper {
    let base: any MessageBroker
    private let permission = AsyncStream.makeStream(of: Void.self)

    init(base: any MessageBroker) { self.base = base }

    func takeNote() { permission.continuation.finish() }

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        SlowlyToldConsumer(base: try await base.makeConsumer(options), permission: permission.stream)
    }
}

private struct SlowlyToldConsumer: ConsumerWrapper {
    let base: any MessageConsumer
    let permission: AsyncStream<Void>

    func commit(_ offsets: [TopicPartition: Int64]) async throws {
        if offsets.values.contains(where: { $0 > 0 }) { for await _ in permission {} }
        try await base.commit(offsets)
    }
}
