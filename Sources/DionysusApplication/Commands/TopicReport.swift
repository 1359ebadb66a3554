import Dionysus

/// A topic that the application's declarations name.
struct DeclaredTopic: Sendable {
    /// The application's use of it.
    enum Use: String, Sendable {
        case produce
        case genesis
        case consume
        case deadLetters = "dead_letters"
    }

    let name: String
    var uses: [Use]
    /// The declared properties; nil if another application publishes it.
    var specification: TopicSpecification?
}

/// The declared topics compared with the broker's.
struct TopicReport: Sendable {
    /// A property of a topic that differs from its declaration.
    struct Drift: Sendable, Hashable {
        let setting: String
        let declared: String
        let actual: String
    }

    struct Line: Sendable {
        let topic: DeclaredTopic
        var partitions: Int32?
        var wasMissing = false
        var drift: [Drift] = []

        var exists: Bool { partitions != nil }
    }

    /// How long brokers may take to report topics that another broker has created, and how often to check.
    private static let (patience, pause) = (Duration.seconds(5), Duration.milliseconds(200))

    private(set) var lines: [Line]

    init(_ topics: [DeclaredTopic]) { lines = topics.map { Line(topic: $0) } }

    /// The missing topics that can be created.
    var creatable: [TopicSpecification] { lines.filter { !$0.exists }.compactMap(\.topic.specification) }

    var isAsDeclared: Bool { lines.allSatisfy { $0.exists && $0.drift.isEmpty } }

    /// Marks the missing topics as about to be created.
    mutating func noteMissing() { for index in lines.indices { lines[index].wasMissing = !lines[index].exists } }

    /// Queries the broker.
    mutating func compare(with broker: any MessageBroker) async throws {
        let existing = try await broker.describeTopics(lines.map(\.topic.name))
        let configurations = try await broker.configurations(of: existing.map(\.name))
        for index in lines.indices {
            let name = lines[index].topic.name
            let description = existing.first { $0.name == name }
            lines[index].partitions = description?.partitions
            guard let description, let declared = lines[index].topic.specification else { continue }
            lines[index].drift = Self.drift(declared, description, configurations[name])
        }
    }

    /// Queries the broker repeatedly until a condition holds or the time is up.
    mutating func compare(with broker: any MessageBroker, until isSo: (TopicReport) -> Bool) async throws {
        let deadline = ContinuousClock.now + Self.patience
        try await compare(with: broker)
        while !isSo(self), .now < deadline {
            try await Task.sleep(for: Self.pause)
            try await compare(with: broker)
        }
    }

    static func drift(
        _ declared: TopicSpecification,
        _ actual: TopicDescription,
        _ configuration: TopicConfiguration?
    ) -> [Drift] {
        var drift: [Drift] = []
        if declared.partitions > 0, declared.partitions != actual.partitions {
            drift.append(
                Drift(setting: "partitions", declared: "\(declared.partitions)", actual: "\(actual.partitions)")
            )
        }
        if declared.replicationFactor > 0, let factor = configuration?.replicationFactor,
            factor != declared.replicationFactor
        {
            drift.append(
                Drift(setting: "replication factor", declared: "\(declared.replicationFactor)", actual: "\(factor)")
            )
        }
        guard let settings = configuration?.settings else { return drift }
        for (name, value) in declared.settings.sorted(by: { $0.key < $1.key }) where !isSame(value, settings[name]) {
            drift.append(Drift(setting: name, declared: value, actual: settings[name] ?? "none"))
        }
        return drift
    }

    /// Lists such as `compact,delete` are compared without order.
    private static func isSame(_ declared: String, _ actual: String?) -> Bool {
        guard let actual else { return false }
        func elements(_ text: String) -> [String] {
            text.split(separator: ",").map { $0.filter { $0 != " " } }.sorted()
        }
        return declared == actual || elements(declared) == elements(actual)
    }

    var text: String {
        tableText(
            ["TOPIC", "USE", "EXISTS", "PARTITIONS", "DRIFT"],
            lines.map { line in
                [
                    line.topic.name, line.topic.uses.map(\.rawValue).joined(separator: ", "),
                    line.exists ? line.wasMissing ? "created" : "yes" : "no", line.partitions.map { "\($0)" } ?? "-",
                    line.drift.isEmpty
                        ? "-"
                        : line.drift.map { "\($0.setting): declared \($0.declared), has \($0.actual)" }
                            .joined(separator: "; "),
                ]
            }
        )
    }

    var json: JSON {
        .array(
            lines.map { line in
                .object([
                    "topic": .string(line.topic.name), "uses": .array(line.topic.uses.map { .string($0.rawValue) }),
                    "exists": .bool(line.exists), "created": .bool(line.exists && line.wasMissing),
                    "partitions": line.partitions.map { .integer(Int64($0)) } ?? .null,
                    "drift": .array(
                        line.drift.map { drift in
                            .object([
                                "setting": .string(drift.setting), "declared": .string(drift.declared),
                                "actual": .string(drift.actual),
                            ])
                        }
                    ),
                ])
            }
        )
    }
}
