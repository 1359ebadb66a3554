import Dionysus
import DionysusEmbedded
import Testing

@Suite
struct RetentionTests {
    @Test
    func `What exceeds a partition's bytes is deleted from its beginning, and offsets go on`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path, options: EmbeddedLogOptions(retentionBytes: 10_000))
            let partition = TopicPartition("rentals", 0)
            let producer = try await broker.makeProducer()
            // 5,000 messages of 100 bytes exceed what one transaction of the retention deletes.
            let filler = [UInt8](repeating: 120, count: 100)
            let batch = (0..<5_000)
                .map { _ in
                    OutgoingMessage(topic: "rentals", destination: .partition(0), key: nil, value: filler)
                }
            for result in await producer.send(batch) { _ = try result.get() }
            #expect(try await broker.enforceRetention() == 4_900)
            #expect(try await broker.offsets(of: [partition])[partition] == OffsetRange(first: 4_900, next: 5_000))
            #expect(try await broker.enforceRetention() == 0)
            let next = try #require(await producer.send(messages(0..<1, for: "rentals")).first)
            #expect(try next.get().offset == 5_000)
            #expect(try await broker.read(101, of: "rentals").map(\.offset) == Array(4_900...5_000))
            await broker.close()
        }
    }

    @Test
    func `What is older than the retention's age is deleted`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path, options: EmbeddedLogOptions(retentionAge: .zero))
            let partition = TopicPartition("rentals", 0)
            for result in try await broker.makeProducer().send(messages(0..<10, for: "rentals")) {
                _ = try result.get()
            }
            #expect(try await broker.enforceRetention() == 10)
            #expect(try await broker.offsets(of: [partition])[partition] == OffsetRange(first: 10, next: 10))
            await broker.close()
        }
    }

    @Test
    func `A reader whose position was deleted learns where the log begins`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path, options: EmbeddedLogOptions(retentionBytes: 20))
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 1)])
            let partition = TopicPartition("rentals", 0)
            let consumer = try await broker.makeConsumer(of: "rentals")
            try await consumer.startAll(1)
            for result in try await broker.makeProducer().send(messages(0..<10, for: "rentals")) {
                _ = try result.get()
            }
            let range = try await broker.enforceAndDescribe(partition)
            guard
                case .outOfRange(partition, let reported) = try await consumer.next(
                    maxMessages: 10,
                    timeout: .seconds(60)
                )
            else {
                Issue.record("the position was not reported")
                return
            }
            #expect(reported == range)
            try await consumer.seek(partition, to: .earliest)
            guard case .messages(let rest) = try await consumer.next(maxMessages: 10, timeout: .seconds(60)) else {
                Issue.record("there were no messages")
                return
            }
            #expect(rest.map(\.offset) == Array(range.first..<range.next))
            await broker.close()
        }
    }

    @Test
    func `Without a retention everything is kept`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            for result in try await broker.makeProducer().send(messages(0..<10, for: "rentals")) {
                _ = try result.get()
            }
            #expect(try await broker.enforceRetention() == 0)
            #expect(try await broker.read(10, of: "rentals").count == 10)
            await broker.close()
        }
    }
}

extension EmbeddedBroker {
    fileprivate func enforceAndDescribe(_ partition: TopicPartition) async throws -> OffsetRange {
        #expect(try await enforceRetention() > 0)
        return try #require(try await offsets(of: [partition])[partition])
    }
}
