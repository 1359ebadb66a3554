import Dionysus
import DionysusKafka
import Testing

@Suite("Messages of several partitions that do not fit in memory together")
struct LargeMessageTests {
    private static let partitions = Array(Int32(0)..<4)

    @Test func `all of them come, in order and once, and what comes after them does too`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            try await send(large(0..<20), producer)
            let member = try await member(fixture, bytes: 400_000)
            _ = try await member.join()
            #expect(places(try await member.read(80)) == expected(0..<20))
            // Small ones end the turns, large ones begin them again.
            try await send(small(20..<60), producer)
            #expect(places(try await member.read(160)) == expected(20..<60))
            try await send(small(60..<61), producer)
            #expect(places(try await member.read(4)) == expected(60..<61))
            try await send(large(61..<64), producer)
            #expect(places(try await member.read(12)) == expected(61..<64))
        }
    }

    @Test func `a partition that is left unread keeps none of the others waiting`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            try await send(large(0..<3), producer)
            let member = try await member(fixture, bytes: 400_000)
            _ = try await member.join()
            #expect(places(try await member.read(12)) == expected(0..<3))
            try await member.consumer.pause([TopicPartition("t", 0), TopicPartition("t", 1)])
            try await send(large(3..<13), producer)
            let others = expected(3..<13).filter { $0.key >= 2 }
            #expect(places(try await member.read(20)) == others)
            try await member.consumer.resume([TopicPartition("t", 0), TopicPartition("t", 1)])
            #expect(places(try await member.read(20)) == expected(3..<13).filter { $0.key < 2 })
        }
    }

    @Test func `a partition that was moved while it waited is read from there`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            try await send(large(0..<12), producer)
            let member = try await member(fixture, bytes: 400_000)
            _ = try await member.join()
            #expect(places(try await member.read(48)) == expected(0..<12))
            for partition in Self.partitions {
                try await member.consumer.seek(TopicPartition("t", partition), to: .offset(Int64(partition) + 5))
            }
            let count = Self.partitions.reduce(0) { $0 + 7 - Int($1) }
            let sought = Dictionary(uniqueKeysWithValues: Self.partitions.map { ($0, Array(Int64($0) + 5..<12)) })
            #expect(places(try await member.read(count)) == sought)
        }
    }

    @Test func `another member goes on with what one has read`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            try await send(large(0..<10), producer)
            let member = try await member(fixture, bytes: 400_000)
            _ = try await member.join()
            let read = try await member.read(10)
            await member.consumer.close()
            let next = Dictionary(grouping: read, by: \.source).mapValues { $0.count }
            let other = try await self.member(fixture, bytes: 400_000)
            let owned = try await other.first { event in
                if case .assigned(let partitions) = event { partitions } else { nil }
            }
            try await other.consumer.start(
                Dictionary(uniqueKeysWithValues: owned.map { ($0, .offset(Int64(next[$0] ?? 0))) })
            )
            // A read may have brought more than was asked for.
            let rest = places(try await other.read(40 - read.count))
            for partition in Self.partitions {
                #expect(rest[partition, default: []] == Array(Int64(next[TopicPartition("t", partition)] ?? 0)..<10))
            }
        }
    }

    private func member(_ fixture: Fixture, bytes: Int) async throws -> Member {
        let consumer = try await fixture.broker.makeConsumer(
            ConsumerOptions(
                clientID: "test",
                groupID: "group",
                topics: ["t"],
                settings: .quickOnMockCluster,
                maxBufferedBytes: bytes
            )
        )
        return Member(consumer: consumer, position: .earliest)
    }

    /// Of each partition, messages of which two exceed what may be buffered of all.
    private func large(_ numbers: Range<Int>) -> [OutgoingMessage] { messages(numbers, size: 220_000) }

    private func small(_ numbers: Range<Int>) -> [OutgoingMessage] { messages(numbers, size: 100) }

    private func messages(_ numbers: Range<Int>, size: Int) -> [OutgoingMessage] {
        numbers.flatMap { number in
            Self.partitions.map { partition in
                var message = OutgoingMessage.numbered(number, partition: partition)
                message.value = Array(repeating: UInt8(ascii: "x"), count: size)
                return message
            }
        }
    }

    private func send(_ messages: [OutgoingMessage], _ producer: any MessageProducer) async throws {
        for result in await producer.send(messages) { _ = try result.get() }
    }

    /// The offsets that have come of each partition, in their order.
    private func places(_ messages: [ConsumedMessage]) -> [Int32: [Int64]] {
        Dictionary(grouping: messages, by: \.source.partition).mapValues { $0.map(\.offset) }
    }

    private func expected(_ numbers: Range<Int>) -> [Int32: [Int64]] {
        Dictionary(uniqueKeysWithValues: Self.partitions.map { ($0, numbers.map(Int64.init)) })
    }
}
