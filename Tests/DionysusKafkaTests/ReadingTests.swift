import Dionysus
import DionysusKafka
import Testing

@Suite("Reading from Kafka")
struct ReadingTests {
    @Test func `a member reads from the earliest, the latest or a given offset`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<10).map { .numbered($0, partition: 0) })
            let member = try await fixture.member()
            let owned = try await member.first { event in
                if case .assigned(let partitions) = event { partitions } else { nil }
            }
            #expect(owned.sorted() == (0..<4).map { TopicPartition("t", $0) })
            try await member.consumer.start([TopicPartition("t", 0): .offset(7)])
            #expect(try await member.read(3).map(\.offset) == [7, 8, 9])
            try await member.consumer.seek(TopicPartition("t", 0), to: .earliest)
            #expect(try await member.read(10).map(\.offset) == Array(0..<10))
            _ = await producer.send((0..<3).map { .numbered($0, partition: 1) })
            try await member.consumer.start([TopicPartition("t", 1): .earliest, TopicPartition("t", 2): .latest])
            #expect(try await member.read(3).allSatisfy { $0.source.partition == 1 })
        }
    }

    @Test func `named partitions are read without any right on groups, and without a coordinator`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<10).map { .numbered($0, partition: 1) })
            let (notAvailable, denied): (Int32, Int32) = (15, 30)
            for code in [denied, notAvailable] {
                fixture.cluster.fail(.findCoordinator, with: Array(repeating: code, count: 200))
                let consumer = try await fixture.broker.makeConsumer(
                    ConsumerOptions(clientID: "test", partitions: [TopicPartition("t", 1), TopicPartition("t", 2)])
                )
                let reader = Member(consumer: consumer, position: .offset(4))
                #expect(try await reader.join().count == 2)
                #expect(try await reader.read(6).map(\.offset) == Array(4..<10))
                #expect(consumer.outage == nil)
                await consumer.close()
                fixture.cluster.clearFailures(.findCoordinator)
            }
        }
    }

    @Test func `messages come in order, with at most the requested number at once`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<25).map { .numbered($0, partition: 2) })
            let member = try await fixture.member()
            _ = try await member.join()
            var offsets: [Int64] = []
            while offsets.count < 25 {
                guard
                    case .messages(let messages) = try await member.consumer.next(
                        maxMessages: 10,
                        timeout: .seconds(30)
                    )
                else { continue }
                #expect(messages.count <= 10)
                offsets += messages.map(\.offset)
            }
            #expect(offsets == Array(0..<25))
        }
    }

    @Test func `waiting without messages ends with the timeout or with the task`() async throws {
        try await Fixture.run { fixture in
            let member = try await fixture.member()
            // Otherwise the assignment may end the wait.
            _ = try await member.join()
            let consumer = member.consumer
            #expect(try await consumer.next(maxMessages: 1, timeout: .zero) == nil)
            #expect(try await consumer.next(maxMessages: 1, timeout: .milliseconds(5)) == nil)
            let waiting = Task { try await consumer.next(maxMessages: 1, timeout: .seconds(3600)) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        }
    }

    @Test func `a seek drops buffered messages`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<1000).map { .numbered($0, partition: 0) })
            let member = try await fixture.member()
            _ = try await member.join()
            let partition = TopicPartition("t", 0)
            for offset in [500, 0, 990, 3] as [Int64] {
                guard
                    case .messages(let messages) = try await member.consumer.next(
                        maxMessages: 10,
                        timeout: .seconds(30)
                    )
                else {
                    Issue.record("no messages")
                    return
                }
                #expect(messages.count <= 10)
                try await member.consumer.seek(partition, to: .offset(offset))
                let sought = try await member.consumer.next(maxMessages: 1, timeout: .seconds(30))
                guard case .messages(let messages) = sought else {
                    Issue.record("no messages after the seek")
                    return
                }
                #expect(messages.map(\.offset) == [offset])
            }
        }
    }

    @Test func `a paused partition returns nothing until it is resumed, and then misses nothing`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<100).map { .numbered($0, partition: 0) })
            let member = try await fixture.member()
            _ = try await member.join()
            guard case .messages(let first) = try await member.consumer.next(maxMessages: 10, timeout: .seconds(30))
            else {
                Issue.record("no messages")
                return
            }
            try await member.consumer.pause([TopicPartition("t", 0)])
            _ = await producer.send((0..<50).map { .numbered($0, partition: 1) })
            #expect(try await member.read(50).allSatisfy { $0.source.partition == 1 })
            try await member.consumer.resume([TopicPartition("t", 0)])
            let rest = try await member.read(100 - first.count)
            #expect((first + rest).map(\.offset) == Array(0..<100))
        }
    }

    @Test(arguments: [StartPosition.offset(1_000_000), .offset(0)], ["cooperative-sticky", "range"])
    func `a position that is not in the log is reported with the bounds, and can be left by a seek`(
        position: StartPosition,
        strategy: String
    ) async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["linger.ms": "0"])
            let large = OutgoingMessage(
                topic: "t",
                destination: .partition(0),
                key: nil,
                value: Array(repeating: 7, count: 900_000)
            )
            // The mock cluster keeps 5 MiB, so the first ones are gone.
            for _ in 0..<10 { #expect(await producer.send([large]).map(\.code) == [nil]) }
            let member = try await fixture.member(
                from: position,
                settings: ["partition.assignment.strategy": strategy]
            )
            _ = try await member.join()
            let partition = TopicPartition("t", 0)
            let range = try await member.first { event in
                if case .outOfRange(partition, let range) = event { range } else { nil }
            }
            #expect(range.next == 10)
            #expect(range.first > 0)
            #expect(try await fixture.broker.offsets(of: [partition]) == [partition: range])
            try await member.consumer.seek(partition, to: .offset(range.first))
            #expect(try await member.read(1).first?.offset == range.first)
        }
    }

    @Test func `reading continues when a broker comes back`() async throws {
        try await Fixture.run(settings: ["reconnect.backoff.max.ms": "200"]) { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<10).map { .numbered($0, partition: 0) })
            let member = try await fixture.member()
            _ = try await member.join()
            #expect(try await member.read(10).count == 10)
            try fixture.cluster.stopBroker(1)
            #expect(try await member.consumer.next(maxMessages: 1, timeout: .milliseconds(1)) == nil)
            try fixture.cluster.startBroker(1)
            _ = await producer.send((10..<20).map { .numbered($0, partition: 0) })
            #expect(try await member.read(10).map(\.offset) == Array(10..<20))
        }
    }

    @Test func `a topic that is created later is read, by name or by pattern`() async throws {
        try await Fixture.run { fixture in
            let member = try await fixture.member(topics: ["first"], patterns: ["x_.*"])
            #expect(try await member.consumer.next(maxMessages: 1, timeout: .zero) == nil)
            do {
                try fixture.cluster.createTopic("first", partitions: 1)
            } catch let error as DionysusError where error.code == .conflict {
                // The mock cluster creates requested topics.
            }
            try fixture.cluster.createTopic("x_second", partitions: 1)
            try fixture.cluster.createTopic("y_third", partitions: 1)
            let producer = try await fixture.producer()
            _ = await producer.send([
                .numbered(1, topic: "first"), .numbered(2, topic: "x_second"), .numbered(3, topic: "y_third"),
            ])
            #expect(Set(try await member.read(2).map(\.source.topic)) == ["first", "x_second"])
        }
    }
}
