import Dionysus
import DionysusConsumer
import DionysusKafka
import DionysusKafkaTesting
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@Suite struct PatternTests {
    private static func rental(_ id: Int, in topic: String) -> WireMessage {
        var message = WireMessage.rental(.created, id, name: "rental \(id)")
        message.topic = topic
        return message
    }

    private let query: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    @Test(arguments: TestDatabaseKind.available)
    func `a pattern reads the topics whose whole names match`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.rental(1, in: "v3_rentals_north"),
                Self.rental(2, in: "v3_rentals_south"),
                Self.rental(3, in: "v3_rentals"),
                Self.rental(4, in: "v3_rentals_north_2"),
                Self.rental(5, in: "old_v3_rentals_north")
            )
            try await replica.consume(Declared([ConsumerTopic(matching: "rentals_[a-z]+")]))
            #expect(try await replica.rows(query) == ["1", "2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the options of a pattern apply to what it matches, and those of a name to the topic of that name`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.rental(1, in: "v3_rentals_north"),
                Self.rental(2, in: "v3_rentals_south"),
                Self.rental(3, in: "v3_rentals_east")
            )
            try await replica.consume(
                Declared([
                    ConsumerTopic(matching: "rentals_[ns].*")
                        .accepting { $0.message.source.topic != "v3_rentals_north" },
                    ConsumerTopic(matching: "rentals_.*").accepting { _ in false },
                    ConsumerTopic("rentals_east", accepting: .any),
                ])
            )
            #expect(try await replica.rows(query) == ["2", "3"])
        }
    }

    /// Runs a service that reads `rentals_…`, publishes to a topic that is there and then to one that is not, and waits
    /// for both events.
    private func readsTopicsToCome(
        _ replica: ReplicaHarness,
        on broker: any MessageBroker,
        settings: ConsumerSettings,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (topics, continuation) = AsyncStream.makeStream(of: String.self)
        var consumer = Declared([ConsumerTopic(matching: "rentals_[a-z]+")])
        consumer.onConsume = { continuation.yield($0.topic) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = ConsumerService(
            consumer,
            database: replica.database,
            broker: broker,
            settings: settings,
            logger: logger
        )
        let group = ServiceGroup(services: [service], logger: logger)
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        func publish(_ id: Int, to topic: String) async throws {
            for result in await producer.send([Self.rental(id, in: topic).outgoing]) { _ = try result.get() }
        }
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var iterator = topics.makeAsyncIterator()
                try await publish(1, to: "v3_rentals_north")
                #expect(await iterator.next() == "v3_rentals_north", sourceLocation: sourceLocation)
                try await publish(2, to: "v3_rentals_south")
                #expect(await iterator.next() == "v3_rentals_south", sourceLocation: sourceLocation)
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
        await producer.close(deadline: .seconds(5))
        #expect(try await replica.rows(query) == ["1", "2"], sourceLocation: sourceLocation)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that is created while the consumer runs is read`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await readsTopicsToCome(replica, on: replica.broker, settings: .forTests)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `on Kafka a topic that is created while the consumer runs is read`(_ kind: TestDatabaseKind) async throws {
        var settings = ConsumerSettings.forTests
        settings.brokerSettings = .quickOnMockCluster
        try await ReplicaHarness.run(kind) { [settings] replica in
            let cluster = try MockCluster()
            defer { cluster.close() }
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers, logger: logger)
            do {
                try await readsTopicsToCome(replica, on: broker, settings: settings)
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the lag and the list of topics have those that a pattern matches`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let consumer = Declared([ConsumerTopic("rentals"), ConsumerTopic(matching: "rentals_[a-z]+")])
            let topics = ConsumedTopics(consumer, settings: .forTests)
            #expect(try await topics.names(on: replica.broker) == ["v3_rentals"])
            try await replica.publish(Self.rental(1, in: "v3_rentals_north"), Self.rental(2, in: "v3_other"))
            #expect(try await topics.names(on: replica.broker) == ["v3_rentals", "v3_rentals_north"])
            let lag = ConsumerLag(
                consumer,
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            #expect(Set(try await lag.partitions().map(\.partition.topic)) == ["v3_rentals_north"])
            #expect(try await lag.partitions().reduce(0) { $0 + ($1.lag ?? 0) } == 1)
            try await replica.consume(consumer)
            #expect(try await lag.partitions().reduce(0) { $0 + ($1.lag ?? 0) } == 0)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a pattern that is none, or that matches a dead-letter queue, is a fault`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let faults = try await replica.faults(
                of: Declared([
                    ConsumerTopic(matching: "rentals_("),
                    ConsumerTopic(matching: ""),
                    ConsumerTopic(matching: "a)|(b"),
                    ConsumerTopic(matching: "d.*").deadLetterQueue("v3_dead", maxRetries: -1),
                ])
            )
            #expect(faults.filter { $0.contains("is no regular expression") }.count == 3)
            #expect(faults.contains { $0.contains("'d.*' matches the dead-letter queue v3_dead") })
            #expect(faults.contains { $0.contains("negative number of retries") })
            #expect(faults.count == 5)
        }
    }
}
