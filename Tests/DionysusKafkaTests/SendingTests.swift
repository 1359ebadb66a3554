import Dionysus
import DionysusKafka
import Testing

@Suite("Sending to Kafka")
struct SendingTests {
    @Test func `a batch is written in order, with a result for each message`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            let results = await producer.send((0..<500).map { .numbered($0, partition: 1) })
            let offsets = try results.map { try $0.get().offset }
            #expect(offsets == (0..<500).map(Int64.init))
            #expect(try results.allSatisfy { try $0.get().partition == 1 })
            let member = try await fixture.member()
            let messages = try await member.read(500)
            #expect(messages.map(\.text) == (0..<500).map { "value \($0)" })
        }
    }

    @Test func `an empty batch has no results`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            #expect(await producer.send([]).isEmpty)
        }
    }

    @Test func `the partition is the key's CRC-32 modulo the number of partitions`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            let results = await producer.send((0..<100).map { .numbered($0) })
            #expect(try results[1].get().partition == 3)
            for (number, result) in results.enumerated() {
                let expected = Partitioner.crc32.partition(of: Array("\(number)".utf8), partitions: 4)
                #expect(try result.get().partition == expected)
            }
        }
    }

    @Test func `the partition key decides instead of the message key, which is optional`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(partitioner: .murmur2)
            let results = await producer.send(
                ["a", nil]
                    .map { key in
                        OutgoingMessage(
                            topic: "t",
                            destination: .partitioned(by: Array("account 7".utf8)),
                            key: key.map { Array($0.utf8) },
                            value: [1]
                        )
                    }
            )
            let expected = Partitioner.murmur2.partition(of: Array("account 7".utf8), partitions: 4)
            #expect(try results.map { try $0.get().partition } == [expected, expected])
        }
    }

    @Test func `keys, values and headers arrive unchanged, whether present, empty or absent`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            let headers = [
                MessageHeader("b", [0, 255]), MessageHeader("a", []), MessageHeader("b", Array("héllo".utf8)),
            ]
            let sent: [([UInt8]?, [UInt8]?, [MessageHeader])] = [
                ([1], nil, []), (nil, [2], headers), ([], [], []),
            ]
            let results = await producer.send(
                sent.map { OutgoingMessage(topic: "t", destination: .partition(0), key: $0, value: $1, headers: $2) }
            )
            #expect(results.allSatisfy { $0.code == nil })
            let messages = try await fixture.member().read(3)
            #expect(messages.map(\.key) == sent.map(\.0))
            #expect(messages.map(\.value) == sent.map(\.1))
            #expect(messages.map(\.headers) == sent.map(\.2))
            #expect(messages.allSatisfy { $0.timestamp.microseconds > 1_600_000_000_000_000 })
        }
    }

    @Test func `a message that is too large is refused alone`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["message.max.bytes": "10000"])
            let large = OutgoingMessage(
                topic: "t",
                destination: .partition(0),
                key: nil,
                value: Array(repeating: 0, count: 20_000)
            )
            let results = await producer.send([.numbered(1), large, .numbered(2)])
            #expect(results.map(\.code) == [nil, .messageRejected, nil])
        }
    }

    @Test func `a partition that does not exist fails alone`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            let results = await producer.send([.numbered(1), .numbered(2, partition: 9)])
            #expect(results.map(\.code) == [nil, .unknownTopic])
        }
    }

    @Test func `a missing topic is an error until it is created`() async throws {
        try await Fixture.run { fixture in
            fixture.cluster.setError(3, of: "t")
            let producer = try await fixture.producer(
                settings: [
                    "topic.metadata.propagation.max.ms": "300", "topic.metadata.refresh.interval.ms": "300",
                ]
            )
            let refused = await producer.send([.numbered(1), .numbered(2, topic: "other")])
            #expect(refused.map(\.code) == [.unknownTopic, nil])
            fixture.cluster.setError(0, of: "t")
            var results = await producer.send([.numbered(1)])
            for _ in 0..<1000 where results.map(\.code) == [.unknownTopic] {
                // Sends messages to the other topic until librdkafka refreshes its topics.
                _ = await producer.send([.numbered(2, topic: "other")])
                results = await producer.send([.numbered(1)])
            }
            #expect(results.map(\.code) == [nil])
        }
    }

    @Test func `sending waits for a full queue`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["queue.buffering.max.messages": "50"])
            async let other = producer.send((0..<1000).map { .numbered($0, partition: 0) })
            let results = await producer.send((0..<1000).map { .numbered($0, partition: 1) })
            #expect(try results.map { try $0.get().offset } == (0..<1000).map(Int64.init))
            #expect(try await other.map { try $0.get().offset } == (0..<1000).map(Int64.init))
        }
    }

    @Test func `transient errors are retried without losing, duplicating or reordering messages`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["retry.backoff.ms": "10"])
            _ = await producer.send([.numbered(0, partition: 0)])
            // NOT_LEADER_FOR_PARTITION, REQUEST_TIMED_OUT, and a closed connection.
            fixture.cluster.fail(.produce, with: [6, 7, -195])
            let results = await producer.send((1..<100).map { .numbered($0, partition: 0) })
            #expect(results.allSatisfy { $0.code == nil })
            let messages = try await fixture.member().read(100)
            #expect(messages.map(\.text) == (0..<100).map { "value \($0)" })
        }
    }

    @Test func `a permanent error rejects the message`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send([.numbered(0, partition: 0)])
            // INVALID_RECORD
            fixture.cluster.fail(.produce, with: [87])
            let refused = await producer.send([.numbered(1, partition: 0)])
            #expect(refused.map(\.code) == [.messageRejected])
            let results = await producer.send([.numbered(2, partition: 0)])
            #expect(results.map(\.code) == [nil])
        }
    }

    @Test func `sending waits for an unavailable broker`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["reconnect.backoff.max.ms": "200"])
            _ = await producer.send([.numbered(0, partition: 0)])
            try fixture.cluster.stopBroker(1)
            async let results = producer.send([.numbered(1, partition: 0)])
            try fixture.cluster.startBroker(1)
            #expect(await results.map(\.code) == [nil])
        }
    }

    @Test func `a broker that stays unavailable fails the batch with a retriable error`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(
                timeout: .milliseconds(500),
                settings: ["reconnect.backoff.max.ms": "200"]
            )
            _ = await producer.send([.numbered(0)])
            try fixture.cluster.stopBroker(1)
            let failed = await producer.send([.numbered(1)])
            #expect(failed.map(\.code) == [.brokerUnavailable])
            try fixture.cluster.startBroker(1)
            var results = failed
            for _ in 0..<40 where results.map(\.code) == [.brokerUnavailable] {
                results = await producer.send([.numbered(1)])
            }
            #expect(results.map(\.code) == [nil])
        }
    }
}
