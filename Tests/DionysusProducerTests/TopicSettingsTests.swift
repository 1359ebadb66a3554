import Dionysus
import DionysusProducer
import Testing

@testable import Rentals

/// What topics are created with.
@Suite struct TopicSettingsTests {
    @Test("a topic has what it declares, then what is configured, then 4 partitions and the broker's own")
    func precedence() throws {
        var settings = ProducerSettings()
        #expect(
            try Declared(Declared.plain).publishedTopics(settings).map(\.specification) == [
                TopicSpecification(name: "v3_rentals", partitions: 4, replicationFactor: -1)
            ]
        )
        settings.topicPrefix = "shop_"
        settings.topics.partitions = 8
        settings.topics.replicationFactor = 2
        settings.topics.values = ["segment.ms": "1000", "cleanup.policy": "delete"]
        let declared = Declared(
            Declared.plain.partitions(12).cleanupPolicy(.compactAndDelete).retention(.seconds(60))
                .setting("min.insync.replicas", "2")
        )
        #expect(
            try declared.publishedTopics(settings).map(\.specification) == [
                TopicSpecification(
                    name: "shop_v3_rentals",
                    partitions: 12,
                    replicationFactor: 2,
                    settings: [
                        "segment.ms": "1000", "cleanup.policy": "compact,delete", "retention.ms": "60000",
                        "min.insync.replicas": "2",
                    ]
                )
            ]
        )
    }

    @Test("a genesis topic is like its topic, but compacted and kept forever unless it is declared otherwise")
    func genesis() throws {
        let topic = Declared.plainWithReplica.partitions(6).retention(.seconds(60)).setting("segment.ms", "1000")
        let topics = try Declared(topic).publishedTopics(ProducerSettings())
        #expect(topics.map(\.isGenesisTopic) == [false, true])
        #expect(topics.map(\.specification.name) == ["v3_rentals", "v3_rentals_genesis"])
        #expect(topics[0].specification.settings == ["retention.ms": "60000", "segment.ms": "1000"])
        #expect(topics[1].specification.partitions == 6)
        #expect(
            topics[1].specification.settings == [
                "cleanup.policy": "compact", "retention.ms": "-1", "segment.ms": "1000",
            ]
        )
        let changed = topic.genesisSettings { genesis in
            genesis.partitions = 2
            genesis.cleanupPolicy = .delete
            genesis.retention = .seconds(7_200)
        }
        let specification = try Declared(changed).publishedTopics(ProducerSettings())[1].specification
        #expect(specification.partitions == 2)
        #expect(specification.settings["cleanup.policy"] == "delete")
        #expect(specification.settings["retention.ms"] == "7200000")
    }

    @Test("settings that no broker takes are reported together")
    func faults() {
        let topic = Declared.plainWithReplica.partitions(0).replicationFactor(0)
            .genesisSettings { $0.retention = .seconds(-1) }
        let error = #expect(throws: DionysusError.self) {
            try Declared(topic).publishedTopics(ProducerSettings())
        }
        let message = error?.message ?? ""
        #expect(message.contains("v3_rentals: partitions must be from 1 to 100000"))
        #expect(message.contains("v3_rentals: replicationFactor must be from 1 to 1000"))
        #expect(message.contains("v3_rentals_genesis: the retention must not be negative"))
        var settings = ProducerSettings()
        settings.topics.partitions = -3
        #expect(settings.faults == ["topics: partitions must be from 1 to 100000"])
    }
}

private struct Declared: Producer {
    static var plain: Topic { Topic("rentals") { Publish(Rental.self) } }
    static var plainWithReplica: Topic { Topic("rentals", genesisReplica: true) { Publish(Rental.self) } }

    let topic: Topic

    init(_ topic: Topic) { self.topic = topic }

    var namespaces: [Namespace] { Namespace("v3", serializers: Serializers { Whole(Rental.self) }) { topic } }
}
