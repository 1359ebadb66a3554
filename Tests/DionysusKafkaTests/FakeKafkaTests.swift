import Dionysus
import DionysusKafka
import FakeKafka
import Logging
import TestSupport
import Testing

@Suite("A broker of Kafka's protocol that answers as a test scripts it", .timeLimit(.minutes(10)))
struct FakeKafkaTests {
    @Test func `it stores and returns messages, and supports groups`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { $0.createTopic("t", partitions: 2) }
            let producer = try await fixture.producer()
            let results = await producer.send((0..<10).map { .numbered($0, partition: Int32($0 % 2)) })
            #expect(results.map(\.code) == Array(repeating: nil, count: 10))
            let messages = try await fixture.member().read(10)
            #expect(Set(messages.map(\.text)) == Set((0..<10).map { "value \($0)" }))
            let range = OffsetRange(first: 0, next: 5)
            #expect(try await fixture.broker.offsets(of: [TopicPartition("t", 1)]) == [TopicPartition("t", 1): range])
        }
    }

    @Test func `it has transactions: aborted messages are not read, and markers use offsets`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("a", "1"), ("b", "2")], producer: 7), to: "t", 0)
                script.append(.end(.commit, producer: 7), to: "t", 0)
                script.append(.records([("c", "3")], producer: 8), to: "t", 0)
                script.append(.end(.abort, producer: 8), to: "t", 0)
                script.append(.records([("d", "4")]), to: "t", 0)
            }
            let messages = try await fixture.member().read(3)
            #expect(messages.map(\.offset) == [0, 1, 5])
            #expect(messages.map(\.text) == ["1", "2", "4"])
        }
    }
}

@Suite("Back-pressure on Kafka", .timeLimit(.minutes(10)))
struct BackPressureTests {
    @Test func `messages prefetched from a paused partition are returned after resuming, even without a broker`()
        async throws
    {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records((0..<3_000).map { ("k", "value \($0)") }), to: "t", 0)
            }
            let member = try await fixture.member()
            _ = try await member.join()
            let event = try await member.consumer.next(maxMessages: 10, timeout: .seconds(30))
            guard case .messages(let first) = event else {
                Issue.record("no messages")
                return
            }
            try await member.consumer.pause([TopicPartition("t", 0)])
            await fixture.kafka.stop()
            #expect(try await member.consumer.next(maxMessages: 10, timeout: .milliseconds(50)) == nil)
            try await member.consumer.resume([TopicPartition("t", 0)])
            let rest = try await member.read(3_000 - first.count)
            #expect((first + rest).map(\.offset) == Array(0..<3_000))
        }
    }

    @Test func `a client with a small buffer still receives the largest messages`() async throws {
        try await FakeFixture.run(settings: ["message.max.bytes": "5000000"]) { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 2)
                for partition in 0..<2 {
                    let value = String(repeating: "x", count: 3_000_000)
                    for _ in 0..<3 { script.append(.records([("k", value)]), to: "t", partition) }
                }
            }
            let consumer = try await fixture.broker.makeConsumer(
                ConsumerOptions(clientID: "test", groupID: "group", topics: ["t"], maxBufferedBytes: 1 << 20)
            )
            let messages = try await Member(consumer: consumer, position: .earliest).read(6)
            #expect(messages.allSatisfy { $0.value?.count == 3_000_000 })
        }
    }
}

/// A fake broker, and an adapter for it.
struct FakeFixture {
    let kafka: FakeKafka
    let broker: KafkaBroker

    /// Runs a test and closes the adapter before the broker.
    static func run(
        _ script: Script = Script(),
        settings: [String: String] = [:],
        logger: Logger = .silent,
        _ body: (FakeFixture) async throws -> Void
    ) async throws {
        try await FakeKafka.run(script) { kafka in
            let servers = kafka.bootstrapServers
            let broker = try KafkaBroker(bootstrapServers: servers, settings: settings, logger: logger)
            do {
                try await body(FakeFixture(kafka: kafka, broker: broker))
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }
    }

    func producer(timeout: Duration = .seconds(20)) async throws -> any MessageProducer {
        try await broker.makeProducer(ProducerOptions(clientID: "test", messageTimeout: timeout))
    }

    func member(topics: [String] = ["t"], settings: [String: String] = [:]) async throws -> Member {
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(clientID: "test", groupID: "group", topics: topics, settings: settings)
        )
        return Member(consumer: consumer, position: .earliest)
    }
}
