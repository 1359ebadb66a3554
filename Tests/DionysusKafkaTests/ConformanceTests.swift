import Dionysus
import DionysusConformance
import DionysusKafka
import DionysusKafkaTesting
import Foundation
import TestSupport
import Testing

@Suite("Kafka among brokers")
struct ConformanceTests {
    // The mock cluster creates topics on the first request, with a fixed number of partitions. It doesn't support
    // lookup by time.
    @Test(arguments: BrokerConformance.checks.filter { !$0.needsTopicCreation && !$0.needsTimes })
    func `Kafka conforms`(_ check: BrokerConformance.Check) async throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        let harness = BrokerHarness(
            // The mock cluster needs seconds for each rebalance.
            patience: .seconds(60),
            consumerSettings: .quickOnMockCluster,
            makeBroker: { try KafkaBroker(bootstrapServers: cluster.bootstrapServers, logger: .silent) },
            makeTopic: { partitions in
                let name = BrokerHarness.freshName()
                try cluster.createTopic(name, partitions: partitions)
                return name
            }
        )
        try await check.run(on: harness)
    }

    /// The external cluster, if there is one.
    static let seedBroker = ProcessInfo.processInfo.environment["DIONYSUS_SEED_BROKER"]

    @Test(.enabled(if: seedBroker != nil, "DIONYSUS_SEED_BROKER names no cluster"), arguments: BrokerConformance.checks)
    func `The cluster of DIONYSUS_SEED_BROKER conforms`(_ check: BrokerConformance.Check)
        async throws
    {
        let servers = try #require(Self.seedBroker)
        let harness = BrokerHarness(
            patience: .seconds(60),
            consumerSettings: .quickOnMockCluster,
            makeBroker: { try KafkaBroker(bootstrapServers: servers, logger: .silent) },
            makeTopic: { partitions in
                let name = BrokerHarness.freshName()
                let broker = try KafkaBroker(bootstrapServers: servers, logger: .silent)
                try await broker.createTopics([TopicSpecification(name: name, partitions: partitions)])
                await broker.close()
                return name
            }
        )
        try await check.run(on: harness)
    }
}
