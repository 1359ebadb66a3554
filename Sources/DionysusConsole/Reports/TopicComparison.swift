import Dionysus
import DionysusProducer

/// A topic as it is declared and as the broker has it.
struct TopicComparison: Sendable {
    /// A property that differs.
    struct Difference: Sendable, Hashable {
        let setting: String
        let declared: String
        let actual: String
    }

    let name: String
    let partitions: Int32?
    let differences: [Difference]

    static func all(of system: ObservedSystem, on broker: any MessageBroker) async throws -> [TopicComparison] {
        let declared = Dictionary(
            (system.producer?.topics ?? []).map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let names = Set(system.topics).union(declared.keys).sorted()
        let existing = Dictionary(
            try await broker.describeTopics(names).map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let configurations = try await broker.configurations(of: existing.keys.sorted())
        return names.map { name in
            TopicComparison(
                name: name,
                partitions: existing[name]?.partitions,
                differences: existing[name]
                    .flatMap { actual in
                        declared[name].map { differences($0, actual, configurations[name]) }
                    } ?? []
            )
        }
    }

    private static func differences(
        _ declared: TopicSpecification,
        _ actual: TopicDescription,
        _ configuration: TopicConfiguration?
    ) -> [Difference] {
        var differences: [Difference] = []
        func compare(_ setting: String, _ wanted: String, _ found: String?) {
            guard let found, Set(wanted.split(separator: ",")) != Set(found.split(separator: ",")) else { return }
            differences.append(Difference(setting: setting, declared: wanted, actual: found))
        }
        if declared.partitions > 0 { compare("partitions", "\(declared.partitions)", "\(actual.partitions)") }
        if declared.replicationFactor > 0 {
            let factor = configuration?.replicationFactor.map { "\($0)" }
            compare("replication factor", "\(declared.replicationFactor)", factor)
        }
        for (name, value) in declared.settings.sorted(by: { $0.key < $1.key }) {
            compare(name, value, configuration?.settings?[name])
        }
        return differences
    }

    var json: JSON {
        .object([
            "topic": .string(name), "exists": .bool(partitions != nil),
            "partitions": .init(partitions.map { Int64($0) }),
            "differences": .array(
                differences.map {
                    .object([
                        "setting": .string($0.setting), "declared": .string($0.declared), "actual": .string($0.actual),
                    ])
                }
            ),
        ])
    }
}
