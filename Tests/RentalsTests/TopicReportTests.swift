import Dionysus
import Testing

@testable import DionysusApplication

/// Differences between a topic and its declaration.
@Suite struct TopicReportTests {
    static let declared = TopicSpecification(
        name: "t",
        partitions: 12,
        replicationFactor: 3,
        settings: ["cleanup.policy": "compact,delete", "retention.ms": "1000"]
    )

    @Test("partitions, replicas and settings are compared, as far as the broker reports them")
    func drift() {
        let actual = TopicDescription(name: "t", partitions: 4)
        let told = TopicConfiguration(
            replicationFactor: 1,
            settings: ["cleanup.policy": "delete", "retention.ms": "1000", "segment.ms": "5"]
        )
        #expect(
            TopicReport.drift(Self.declared, actual, told).map { "\($0.setting): \($0.declared), \($0.actual)" } == [
                "partitions: 12, 4", "replication factor: 3, 1", "cleanup.policy: compact,delete, delete",
            ]
        )
        #expect(TopicReport.drift(Self.declared, actual, TopicConfiguration()).map(\.setting) == ["partitions"])
        #expect(TopicReport.drift(Self.declared, actual, nil).map(\.setting) == ["partitions"])
    }

    @Test("undeclared properties can't differ, and lists are compared without order")
    func noDrift() {
        let told = TopicConfiguration(
            replicationFactor: 2,
            settings: ["cleanup.policy": "delete, compact", "retention.ms": "1000"]
        )
        var declared = Self.declared
        declared.replicationFactor = -1
        #expect(TopicReport.drift(declared, TopicDescription(name: "t", partitions: 12), told).isEmpty)
    }
}
