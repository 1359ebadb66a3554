import Dionysus
import DionysusConformance
import DionysusEmbedded
import Testing

@Suite
struct ConformanceTests {
    @Test(arguments: BrokerConformance.checks)
    func `The embedded log does what every broker does`(_ check: BrokerConformance.Check) async throws {
        try await withLogPath { path in
            let harness = BrokerHarness(
                makeBroker: { try EmbeddedBroker(path: path) },
                makeTopic: { partitions in
                    let name = BrokerHarness.freshName()
                    let broker = try EmbeddedBroker(path: path)
                    try await broker.createTopics([TopicSpecification(name: name, partitions: partitions)])
                    await broker.close()
                    return name
                }
            )
            try await check.run(on: harness)
        }
    }
}
