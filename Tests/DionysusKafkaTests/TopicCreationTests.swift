import Dionysus
import DionysusKafka
import FakeKafka
import TestSupport
import Testing

/// Other brokers report a new topic with a delay.
@Suite("Topics that are created", .timeLimit(.minutes(10)))
struct TopicCreationTests {
    @Test(arguments: [0, 1, 7])
    func `created topics exist, however late brokers learn of them`(lag: Int) async throws {
        var script = Script()
        script.metadataLag = lag
        try await FakeFixture.run(script) { fixture in
            let settings = ["cleanup.policy": "compact"]
            try await fixture.broker.createTopics([
                TopicSpecification(name: "t", partitions: 3, settings: settings), TopicSpecification(name: "u"),
            ])
            let described = Set(try await fixture.broker.describeTopics(["t", "u"]))
            #expect(described == [.init(name: "t", partitions: 3), .init(name: "u", partitions: 4)])
            #expect(try await fixture.broker.configurations(of: ["t"])["t"]?.settings == settings)
            // Existing ones are unchanged.
            try await fixture.broker.createTopics([TopicSpecification(name: "t", partitions: 9)])
            #expect(try await fixture.broker.describeTopics(["t"]) == [.init(name: "t", partitions: 3)])
        }
    }
}
