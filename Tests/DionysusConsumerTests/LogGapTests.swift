import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Offsets that hold no message, as those of the marks that transactions leave behind in Kafka.
@Suite(.timeLimit(.minutes(10))) struct LogGapTests {
    private static let names: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    private static let group = ConsumerOptions(
        clientID: "test",
        groupID: ConsumerSettings.forTests.effectiveGroupID,
        topics: ["v3_rentals"]
    )

    @Test(arguments: TestDatabaseKind.available, [[1, 1], [1, 2_000], [4, 1], [4, 2_000]])
    func `the position moves past what is no message, in the lag and in what is committed`(
        _ kind: TestDatabaseKind,
        _ sizes: [Int]
    ) async throws {
        let (lanes, batchSize) = (sizes[0], sizes[1])
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            if lanes > 1 { mirror.rentals = mirror.rentals.lanes(lanes) }
            var settings = ConsumerSettings.forTests
            settings.batchSize = batchSize
            let partition = TopicPartition("v3_rentals", 0)
            // Behind messages, behind each other, before messages, and behind what has been consumed already.
            try await replica.publish(WireMessage.rentals(1...3))
            try await leaveGap(of: 2, in: partition, replica.broker)
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.rentalsLag().position == 5)
            try await leaveGap(of: 1, in: partition, replica.broker)
            #expect(try await replica.rentalsLag().lag == 1)
            try await replica.consume(mirror, settings: settings)
            let lag = try await replica.rentalsLag()
            #expect(lag.lag == 0 && lag.position == 6 && lag.endOffset == 6 && lag.age == .zero)
            let committed = try await replica.broker.committedPositions(of: Self.group, in: [partition])
            #expect(committed[partition]?.offset == 6)

            try await replica.publish(WireMessage.rentals(4...5))
            try await leaveGap(of: 3, in: partition, replica.broker)
            try await replica.publish(WireMessage.rentals(6...6))
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.rentalsLag().position == 12)
            #expect(try await replica.rows(Self.names) == (1...6).map(String.init))
        }
    }

    @Test(arguments: TestDatabaseKind.available, [1, 4])
    func `a partition that holds no message at all is behind by nothing`(
        _ kind: TestDatabaseKind,
        _ lanes: Int
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            if lanes > 1 { mirror.rentals = mirror.rentals.lanes(lanes) }
            try await replica.broker.createTopics([TopicSpecification(name: "v3_rentals")])
            try await leaveGap(of: 2, in: TopicPartition("v3_rentals", 0), replica.broker)
            try await replica.consume(mirror)
            #expect(try await replica.rentalsLag().lag == 0)
            try await replica.publish(WireMessage.rentals(1...2))
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["1", "2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replay of dead letters ends behind what is no message`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let mirror = Mirror.rentals { $0.deadLetterQueue("dead", maxRetries: 0) }
            try await replica.take(name: "sea")
            try await replica.publish(.rental(.created, 1, name: "sea"))
            try await replica.consume(mirror)
            let partitions = try await replica.broker.describeTopics(["dead"])
                .flatMap { topic in (0..<topic.partitions).map { TopicPartition("dead", $0) } }
            for partition in partitions { try await leaveGap(of: 1, in: partition, replica.broker) }
            try await replica.release()
            let summary = try await replica.failures(mirror).replayDeadLetters(of: "dead")
            #expect(summary.applied == 1)
        }
    }
}
