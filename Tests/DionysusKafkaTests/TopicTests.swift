import Dionysus
import DionysusKafkaTesting
import Testing

@Suite("Topics on Kafka")
struct TopicTests {
    @Test func `topics are created if the broker supports it, and described`() async throws {
        try await Fixture.run { fixture in
            try fixture.cluster.createTopic("there", partitions: 7)
            try await fixture.broker.createTopics([TopicSpecification(name: "new"), TopicSpecification(name: "there")])
            let all = try await fixture.broker.describeTopics(nil)
            #expect(
                Set(all) == [
                    TopicDescription(name: "new", partitions: 4), TopicDescription(name: "there", partitions: 7),
                ]
            )
            let some = try await fixture.broker.describeTopics(["there", "absent"])
            #expect(some == [TopicDescription(name: "there", partitions: 7)])
            #expect(try await fixture.broker.describeTopics(nil).count == 2)
        }
    }

    @Test func `topic properties that a cluster doesn't report are unknown`() async throws {
        try await Fixture.run { fixture in
            try fixture.cluster.createTopic("there", partitions: 2)
            let configurations = try await fixture.broker.configurations(of: ["there", "absent"])
            // The mock cluster supports no administrative requests.
            #expect(configurations == ["there": TopicConfiguration(replicationFactor: 1, settings: nil)])
        }
    }

    @Test func `a time without later messages gives the next offset, where a member starts`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<5).map { .numbered($0, partition: 1) })
            let later = Timestamp.now + 3_600
            let partitions = [TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("t", 9)]
            #expect(try await fixture.broker.offsets(of: [], at: later) == [:])
            let offsets = try await fixture.broker.offsets(of: partitions, at: later)
            #expect(offsets == [TopicPartition("t", 0): 0, TopicPartition("t", 1): 5])
            let member = try await fixture.member(from: .time(later))
            _ = try await member.join()
            _ = await producer.send((5..<7).map { .numbered($0, partition: 1) })
            #expect(try await member.read(2).map(\.offset) == [5, 6])
        }
    }

    @Test func `the bounds of partitions are returned, without missing partitions`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<5).map { .numbered($0, partition: 1) })
            let ranges = try await fixture.broker.offsets(
                of: [TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("t", 9), TopicPartition("u", 0)]
            )
            #expect(
                ranges == [
                    TopicPartition("t", 0): OffsetRange(first: 0, next: 0),
                    TopicPartition("t", 1): OffsetRange(first: 0, next: 5),
                ]
            )
        }
    }

    @Test func `a mock cluster creates a topic once`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("t")
        #expect(throws: DionysusError.self) { try cluster.createTopic("t") }
        cluster.close()
        cluster.close()
        #expect(throws: DionysusError.self) { try cluster.createTopic("u") }
    }
}
