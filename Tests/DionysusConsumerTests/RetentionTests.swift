import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import Logging
import TestSupport
import Testing

/// Positions that are not in the log, and partitions that have none.
@Suite(.timeLimit(.minutes(10))) struct RetentionTests {
    private static let names: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    private static func rentals(_ ids: ClosedRange<Int>) -> [WireMessage] {
        ids.map { .rental(.created, $0, name: "rental \($0)") }
    }

    /// A replica that has applied the messages 1 to 3, and a log that has deleted them and those up to 6.
    private static func behind(
        _ kind: TestDatabaseKind,
        _ body: (ReplicaHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let options = EmbeddedLogOptions(retentionBytes: 1, retentionInterval: .seconds(3_600))
            let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite", options: options)
            try await ReplicaHarness.run(kind) { harness in
                let replica = ReplicaHarness(database: harness.database, broker: broker)
                try await replica.publish(rentals(1...3))
                try await replica.consume()
                try await replica.publish(rentals(4...7))
                try await broker.enforceRetention()
                try await body(replica)
            }
            await broker.close()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when retention has passed the position, the consumer stops and says what to do`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.behind(kind) { replica in
            let lag = try await ConsumerLag(
                Mirror(),
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            .partitions()
            let partition = try #require(lag.first { $0.partition == TopicPartition("v3_rentals", 0) })
            #expect(partition.isOutOfRange && partition.position == 3 && partition.lag == nil)
            for _ in 1...2 {
                let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
                #expect(error?.code == .offsetOutOfRange)
                #expect(error?.message.contains("v3_rentals[0]") == true)
                #expect(error?.advice?.contains("reset") == true)
            }
            #expect(try await replica.rows(Self.names) == ["1", "2", "3"])
            try await ConsumerPositions(
                Mirror(),
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            .reset("v3_rentals")
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == ["1", "2", "3", "7"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when retention has passed the position, the consumer goes on with what is kept if that is chosen`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.behind(kind) { replica in
            var settings = ConsumerSettings.forTests
            settings.onOutOfRange = .earliest
            try await replica.consume(settings: settings)
            #expect(try await replica.rows(Self.names) == ["1", "2", "3", "7"])
            try await replica.publish(Self.rentals(8...9))
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == ["1", "2", "3", "7", "8", "9"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, OutOfRangePolicy.allCases)
    func `a topic that was created anew is read only by choice, and then from its beginning`(
        _ kind: TestDatabaseKind,
        _ policy: OutOfRangePolicy
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await ReplicaHarness.run(kind) { old in
                try await old.publish(Self.rentals(1...5))
                try await old.consume()
                let broker = try EmbeddedBroker(path: "\(directory)/new.sqlite")
                let replica = ReplicaHarness(database: old.database, broker: broker)
                try await replica.publish(Self.rentals(6...7))
                var settings = ConsumerSettings.forTests
                settings.onOutOfRange = policy
                switch policy {
                case .fail:
                    let error = await #expect(throws: DionysusError.self) {
                        try await replica.consume(settings: settings)
                    }
                    #expect(error?.code == .offsetOutOfRange)
                    #expect(try await replica.rows(Self.names) == ["1", "2", "3", "4", "5"])
                case .earliest:
                    try await replica.consume(settings: settings)
                    #expect(try await replica.rows(Self.names) == ["1", "2", "3", "4", "5", "6", "7"])
                    #expect(
                        try await replica.rows("SELECT next_offset FROM dionysus_offsets WHERE next_offset > 0") == [
                            "2"
                        ]
                    )
                }
                await broker.close()
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that is begun at its end loses nothing of what comes while no consumer runs`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.starting(at: .latest)
            try await replica.publish(Self.rentals(1...3))
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == [])
            try await replica.publish(Self.rentals(4...5) + [.rental(.created, 6, name: "six", partition: 3)])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["4", "5", "6"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a partition that appears later is read from its beginning, wherever the topic was begun`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.starting(at: .latest)
            try await replica.publish(Self.rentals(1...2))
            try await replica.consume(mirror)
            try await replica.publish(.rental(.created, 3, name: "three", partition: 3))
            // A partition that is new to the group has no offset in the database.
            _ = try await replica.database.transaction(.write) {
                try $0.run("DELETE FROM dionysus_offsets WHERE \"partition\" = 3")
            }
            let lag = ConsumerLag(mirror, database: replica.database, broker: replica.broker, settings: .forTests)
            #expect(try await lag.partitions().map(\.lag) == [0, 0, 0, 1])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the age of the lag is that of the oldest message that is not applied`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let lag = ConsumerLag(Mirror(), database: replica.database, broker: replica.broker, settings: .forTests)
            try await replica.publish(Self.rentals(1...2))
            try await replica.consume()
            #expect(try await lag.partitions().allSatisfy { $0.age == .zero })
            let before = Timestamp.now
            try await replica.publish(Self.rentals(3...3))
            let written = Timestamp.now
            // The position has stood still for a day, the message is new.
            _ = try await replica.database.transaction(.write) { transaction in
                let day = transaction.dialect.now(minus: 86_400)
                _ = try transaction.run("UPDATE dionysus_offsets SET updated_at = \(day)")
            }
            let asked = Timestamp.now
            let age = try #require(try await lag.partitions().first { $0.partition.partition == 0 }?.age)
            let answered = Timestamp.now
            #expect(age >= .microseconds(asked.microseconds - written.microseconds))
            #expect(age <= .microseconds(answered.microseconds - before.microseconds))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a broker that doesn't know an offset for a moment, although it has it, is asked again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await onMockCluster(kind) { replica, cluster in
            try await replica.publish(Self.rentals(1...3))
            try await replica.consume()
            try await replica.publish(Self.rentals(4...7))
            let offsetOutOfRange: Int32 = 1
            cluster.fail(.fetch, with: [offsetOutOfRange, offsetOutOfRange])
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == (1...7).map(String.init))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `Kafka's retention is found out as well`(_ kind: TestDatabaseKind) async throws {
        try await onMockCluster(kind) { replica, _ in
            try await replica.publish(Self.rentals(1...1))
            try await replica.consume()
            // The cluster keeps about 5 MiB of a partition.
            let long = String(repeating: "x", count: 500_000)
            for id in 2...20 {
                let payload = #"{"id":\#(id),"note":"\#(long)","links":{}}"#
                try await replica.publish(.event("rental_created", "Rental", payload))
            }
            let first = try #require(
                try await replica.broker.offsets(of: [TopicPartition("v3_rentals", 0)]).values.first?.first
            )
            #expect(first > 1)
            let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
            #expect(error?.code == .offsetOutOfRange)
            var settings = ConsumerSettings.forTests
            settings.onOutOfRange = .earliest
            try await replica.consume(settings: settings)
            let kept = (Int(first) + 1)...20
            #expect(try await replica.rows(Self.names) == ([1] + Array(kept)).map(String.init))
        }
    }

    /// Consumes from a mock cluster that has the topics.
    private func onMockCluster(
        _ kind: TestDatabaseKind,
        _ body: (ReplicaHarness, MockCluster) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { harness in
            let cluster = try MockCluster(brokers: 1)
            let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers)
            try await broker.createTopics(
                ["v3_accounts", "v3_rentals", "v3_bookings"].map { TopicSpecification(name: $0) }
            )
            let replica = ReplicaHarness(database: harness.database, broker: broker)
            try await body(replica, cluster)
            await broker.close()
            cluster.close()
        }
    }
}
