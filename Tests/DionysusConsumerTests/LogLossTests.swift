import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import TestSupport
import Testing

/// Logs that were created anew, or have lost what was not read, and what is remembered of that.
@Suite(.timeLimit(.minutes(10))) struct LogLossTests {
    private static let names: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    private static func positions(_ replica: ReplicaHarness) -> ConsumerPositions {
        ConsumerPositions(Mirror(), database: replica.database, broker: replica.broker, settings: .forTests)
    }

    /// A replica that has applied the messages 1 to 5, and another log in the place of the one it read.
    private static func createdAnew(
        _ kind: TestDatabaseKind,
        _ mirror: Mirror = Mirror(),
        _ body: (ReplicaHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await ReplicaHarness.run(kind) { old in
                try await old.publish(WireMessage.rentals(1...5))
                try await old.consume(mirror)
                let broker = try EmbeddedBroker(path: "\(directory)/new.sqlite")
                try await body(ReplicaHarness(database: old.database, broker: broker))
                await broker.close()
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available, [5, 6, 40])
    func `a topic that was created anew is distinguished from the old one, however long it has grown`(
        _ kind: TestDatabaseKind,
        _ count: Int
    ) async throws {
        try await Self.createdAnew(kind) { replica in
            try await replica.publish(WireMessage.rentals(11...(10 + count)))
            let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
            #expect(error?.code == .offsetOutOfRange)
            #expect(error?.message.contains("v3_rentals[0]") == true && error?.message.contains("anew") == true)
            #expect(error?.advice?.contains("reset") == true && error?.advice?.contains("--accept-loss") == true)
            #expect(try await replica.rows(Self.names) == (1...5).map(String.init))
        }
    }

    @Test(arguments: TestDatabaseKind.available, [1, 4])
    func `virtual lanes find out as well`(_ kind: TestDatabaseKind, _ batchSize: Int) async throws {
        let mirror = Mirror(rentals: ConsumerTopic("rentals", accepting: .any).lanes(4))
        try await Self.createdAnew(kind, mirror) { replica in
            try await replica.publish(WireMessage.rentals(11...30))
            var settings = ConsumerSettings.forTests
            settings.batchSize = batchSize
            let error = await #expect(throws: DionysusError.self) {
                try await replica.consume(mirror, settings: settings)
            }
            #expect(error?.code == .offsetOutOfRange)
            #expect(try await replica.rows(Self.names) == (1...5).map(String.init))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what was found is remembered when the log has grown, and shown, until the topic is reset`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.createdAnew(kind) { replica in
            try await replica.publish(WireMessage.rentals(11...12))
            await #expect(throws: DionysusError.self) { try await replica.consume() }
            try await replica.publish(WireMessage.rentals(13...40))
            for _ in 1...2 {
                let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
                #expect(error?.message.contains("from 0 up to 2, not 5") == true, "\(String(describing: error))")
                #expect(error?.message.contains("found at") == true)
            }
            let lag = try await replica.rentalsLag()
            #expect(lag.lag == nil && lag.isOutOfRange && lag.age == nil)
            #expect(lag.loss?.contains("v3_rentals[0]") == true)
            #expect(try await replica.rows(Self.names) == (1...5).map(String.init))

            try await Self.positions(replica).reset("v3_rentals", to: .earliest)
            let after = try await replica.rentalsLag()
            #expect(after.lag == 30 && after.loss == nil && !after.isOutOfRange)
            try await replica.consume()
            #expect(try await replica.rows(Self.names).count == 35)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a reset of one partition leaves what was found in another`(_ kind: TestDatabaseKind) async throws {
        try await Self.createdAnew(kind) { replica in
            try await replica.publish(WireMessage.rentals(11...30))
            await #expect(throws: DionysusError.self) { try await replica.consume() }
            try await Self.positions(replica).reset("v3_rentals", partition: 2, to: .earliest)
            await #expect(throws: DionysusError.self) { try await replica.consume() }
            try await Self.positions(replica).reset("v3_rentals", partition: 0, to: .latest)
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == (1...5).map(String.init))
        }
    }

    @Test(arguments: TestDatabaseKind.available, [true, false])
    func `an accepted loss is forgotten, and what the log holds is applied from its beginning`(
        _ kind: TestDatabaseKind,
        _ hasFailed: Bool
    ) async throws {
        try await Self.createdAnew(kind) { replica in
            try await replica.publish(WireMessage.rentals(11...30))
            if hasFailed { await #expect(throws: DionysusError.self) { try await replica.consume() } }
            var settings = ConsumerSettings.forTests
            settings.onOutOfRange = .earliest
            let lines = LogLines()
            try await replica.consume(Mirror(), loggingTo: lines, settings: settings)
            #expect(lines.all.contains { $0.contains("anew") })
            #expect(try await replica.rows(Self.names) == (Array(1...5) + Array(11...30)).map(String.init))
            try await replica.publish(WireMessage.rentals(31...31))
            try await replica.consume()
            #expect(try await replica.rows(Self.names).count == 26)
            #expect(try await replica.rows("SELECT topic FROM dionysus_log_losses") == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when only what was applied is no longer kept, nothing was missed`(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDirectory { directory in
            let options = EmbeddedLogOptions(retentionBytes: 1, retentionInterval: .seconds(3_600))
            let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite", options: options)
            try await ReplicaHarness.run(kind) { harness in
                let replica = ReplicaHarness(database: harness.database, broker: broker)
                try await replica.publish(WireMessage.rentals(1...3))
                try await replica.consume()
                try await replica.publish(WireMessage.rentals(4...4))
                // The last message stays; the position is its offset.
                try await broker.enforceRetention()
                let lines = LogLines()
                try await replica.consume(Mirror(), loggingTo: lines)
                #expect(try await replica.rows(Self.names) == ["1", "2", "3", "4"])
                #expect(lines.all.filter { $0.hasPrefix("warning") || $0.hasPrefix("error") } == [])
            }
            await broker.close()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a cluster whose topics were created anew is found out`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { harness in
            for count in [5, 30] {
                try await harness.define("DELETE FROM dionysus_offsets", "DELETE FROM dionysus_log_losses")
                for ids in [1...5, 11...(10 + count)] {
                    let cluster = try MockCluster(brokers: 1)
                    let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers)
                    try await broker.createTopics(
                        ["v3_accounts", "v3_rentals", "v3_bookings"].map { TopicSpecification(name: $0) }
                    )
                    let replica = ReplicaHarness(database: harness.database, broker: broker)
                    try await replica.publish(WireMessage.rentals(ids))
                    if ids.lowerBound == 1 {
                        try await replica.consume()
                        // The same log is known again.
                        try await replica.consume()
                    } else {
                        let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
                        #expect(error?.message.contains("anew") == true)
                    }
                    #expect(try await replica.rows(Self.names) == (1...5).map(String.init))
                    await broker.close()
                    cluster.close()
                }
            }
        }
    }
}
