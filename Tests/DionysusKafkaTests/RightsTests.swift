import Dionysus
import DionysusKafka
import FakeKafka
import TestSupport
import Testing

/// Denied operations are named.
@Suite("Rights that Kafka denies", .timeLimit(.minutes(10)))
struct RightsTests {
    private static let (topicDenied, groupDenied, clusterDenied): (Int16, Int16, Int16) = (29, 30, 31)

    @Test func `a topic without Write fails only its own messages`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.createTopic("u", partitions: 1)
                script.topicErrors["t"] = Self.topicDenied
            }
            let producer = try await fixture.producer()
            let results = await producer.send([.numbered(0), .numbered(1, topic: "u")])
            #expect(results.map(\.code) == [.topicDenied, nil])
            guard case .failure(let error)? = results.first else { return }
            #expect(error.description.contains("Write on the topic 't'"), "\(error)")
            #expect(producer.outage == nil)
        }
    }

    @Test func `a producer without IdempotentWrite says so`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.errors[.initProducerID] = Self.clusterDenied
            }
            let producer = try await fixture.producer()
            let results = await producer.send([.numbered(0)])
            #expect(results.map(\.code) == [.accessDenied])
            guard case .failure(let error)? = results.first else { return }
            #expect(error.description.contains("IdempotentWrite on the cluster"), "\(error)")
        }
    }

    @Test(arguments: [Request.findCoordinator, .joinGroup])
    func `a group without Read ends the member`(request: Request) async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.errors[request] = Self.groupDenied
            }
            let member = try await fixture.member()
            let error = await #expect(throws: DionysusError.self) { _ = try await member.join() }
            #expect(error?.code == .accessDenied)
            #expect(error?.description.contains("Read on the consumer group") == true, "\(error as Any)")
        }
    }

    @Test func `a topic without Read ends the member, and is named`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.topicErrors["t"] = Self.topicDenied
            }
            let member = try await fixture.member()
            let error = await #expect(throws: DionysusError.self) { _ = try await member.join() }
            #expect(error?.code == .accessDenied)
            #expect(error?.description.contains("Read on the topic") == true, "\(error as Any)")
            #expect(error?.description.contains("t") == true)
        }
    }

    @Test(arguments: [topicDenied, clusterDenied])
    func `a topic that can't be created is named with the operation`(code: Int16) async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { $0.errors[.createTopics] = code }
            let error = await #expect(throws: DionysusError.self) {
                try await fixture.broker.createTopics([TopicSpecification(name: "t")])
            }
            #expect(error?.code == .accessDenied)
            #expect(error?.description.contains("Create") == true, "\(error as Any)")
        }
    }

    @Test func `a topic whose offsets are denied is named with the operation`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.errors[.listOffsets] = Self.topicDenied
            }
            let error = await #expect(throws: DionysusError.self) {
                _ = try await fixture.broker.offsets(of: [TopicPartition("t", 0)])
            }
            #expect(error?.code == .accessDenied)
            #expect(error?.description.contains("Describe on the topic 't'") == true, "\(error as Any)")
        }
    }

    @Test func `a topic whose settings are denied is described without them`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.errors[.describeConfigs] = Self.topicDenied
            }
            let configurations = try await fixture.broker.configurations(of: ["t"])
            #expect(configurations == ["t": TopicConfiguration(replicationFactor: 1, settings: nil)])
        }
    }
}
