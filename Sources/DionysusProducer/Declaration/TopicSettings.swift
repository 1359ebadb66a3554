package import Dionysus

/// What a topic is to be like when it is created: partitions, replicas, and the broker's own settings.
///
/// What is nil is taken from ``ProducerSettings``.
public struct TopicSettings: Sendable, Hashable {
    /// What a broker does with messages that are old or superseded: Kafka's `cleanup.policy`.
    public enum CleanupPolicy: String, Sendable, Hashable {
        /// Old messages are deleted.
        case delete
        /// The last message of each key is kept forever.
        case compact
        /// The last message of each key is kept until it is old.
        case compactAndDelete = "compact,delete"
    }

    /// How many partitions it has.
    public var partitions: Int?
    /// On how many brokers each partition is kept.
    public var replicationFactor: Int?
    /// The broker's settings for the topic by their names: `min.insync.replicas`.
    public var values: [String: String] = [:]

    /// Creates settings that leave everything to the defaults.
    public init() {}

    /// What the broker does with messages that are old or superseded; nil leaves it to the broker.
    public var cleanupPolicy: CleanupPolicy? {
        get { values["cleanup.policy"].flatMap(CleanupPolicy.init(rawValue:)) }
        set { values["cleanup.policy"] = newValue?.rawValue }
    }

    /// How long messages are kept, to the millisecond; nil leaves it to the broker.
    public var retention: Duration? {
        get { values["retention.ms"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : .milliseconds($0) } }
        set { values["retention.ms"] = newValue.map { "\(Int64($0.inSeconds * 1_000))" } }
    }

    /// These settings, and where they have none those of others.
    func over(_ others: TopicSettings) -> TopicSettings {
        var result = self
        result.partitions = partitions ?? others.partitions
        result.replicationFactor = replicationFactor ?? others.replicationFactor
        result.values.merge(others.values) { own, _ in own }
        return result
    }

    /// What a broker is asked for to create a topic.
    /// - Parameter topic: Its full name.
    /// - Returns: The specification: 4 partitions and as many replicas as the broker is configured with, unless these
    ///   settings say otherwise.
    package func specification(of topic: String) -> TopicSpecification {
        TopicSpecification(
            name: topic,
            partitions: Int32(clamping: partitions ?? 4),
            replicationFactor: Int32(clamping: replicationFactor ?? -1),
            settings: values
        )
    }

    /// What is wrong with them, a line each.
    func faults(of topic: String) -> [String] {
        var faults: [String] = []
        if let partitions, !(1...100_000).contains(partitions) {
            faults.append("\(topic): partitions must be from 1 to 100000")
        }
        if let replicationFactor, !(1...1_000).contains(replicationFactor) {
            faults.append("\(topic): replicationFactor must be from 1 to 1000")
        }
        if let retention = values["retention.ms"], Int64(retention).map({ $0 < -1 }) ?? true {
            faults.append("\(topic): the retention must not be negative")
        }
        return faults
    }
}

extension ProducerTopic {
    /// Chooses how many partitions the topic is created with.
    ///
    /// By default as many as ``ProducerSettings/topics`` says.
    ///
    /// More partitions later move keys to other partitions and break their order, so choose enough.
    /// - Parameter count: How many; at least one.
    public func partitions(_ count: Int) -> ProducerTopic { with { $0.settings.partitions = count } }

    /// Chooses on how many brokers the topic is kept.
    ///
    /// By default what the broker is configured with.
    /// - Parameter count: How many; at least one.
    public func replicationFactor(_ count: Int) -> ProducerTopic { with { $0.settings.replicationFactor = count } }

    /// Chooses what the broker does with messages that are old or superseded.
    ///
    /// By default what it is configured with.
    public func cleanupPolicy(_ policy: TopicSettings.CleanupPolicy) -> ProducerTopic {
        with { $0.settings.cleanupPolicy = policy }
    }

    /// Chooses how long messages are kept.
    ///
    /// By default what the broker is configured with.
    /// - Parameter age: The time, to the millisecond; nil is forever.
    public func retention(_ age: Duration?) -> ProducerTopic {
        with { topic in
            topic.settings.retention = age
            if age == nil { topic.settings.values["retention.ms"] = "-1" }
        }
    }

    /// Chooses any of the broker's settings for the topic.
    /// - Parameters:
    ///   - name: Its name as the broker has it: `min.insync.replicas`.
    ///   - value: The value.
    public func setting(_ name: String, _ value: String) -> ProducerTopic { with { $0.settings.values[name] = value } }

    /// Chooses what the genesis topic is like.
    ///
    /// It has the topic's partitions, replicas and settings, but for its cleanup policy, which is `compact`, and its
    /// retention, which is forever: it keeps the last state of every record for those who begin to read later.
    /// - Parameter change: Changes its settings.
    public func genesisSettings(_ change: (inout TopicSettings) -> Void) -> ProducerTopic {
        with { change(&$0.genesisSettings) }
    }

    /// Chooses what the topic and its genesis topic are like, as far as these settings say.
    package func created(with own: TopicSettings, genesis: TopicSettings) -> ProducerTopic {
        with { topic in
            topic.settings = own.over(topic.settings)
            topic.genesisSettings = genesis.over(topic.genesisSettings)
        }
    }

    private func with(_ change: (inout ProducerTopic) -> Void) -> ProducerTopic {
        var copy = self
        change(&copy)
        return copy
    }

    /// What a genesis topic is like unless its declaration says otherwise.
    package static var genesisDefaults: TopicSettings {
        var settings = TopicSettings()
        settings.cleanupPolicy = .compact
        settings.values["retention.ms"] = "-1"
        return settings
    }

    /// The topic, and its genesis topic if it has one, as brokers are asked for them.
    func published(as name: String, defaults: TopicSettings) -> [PublishedTopic] {
        let own = settings.over(defaults)
        let topic = PublishedTopic(specification: own.specification(of: name), isGenesisTopic: false)
        guard genesisReplica else { return [topic] }
        let genesis = genesisSettings.over(own).specification(of: name + "_genesis")
        return [topic, PublishedTopic(specification: genesis, isGenesisTopic: true)]
    }
}

/// A topic that a producer writes to.
package struct PublishedTopic: Sendable, Hashable {
    /// What a broker is asked for to create it.
    package let specification: TopicSpecification
    /// Whether it is the genesis topic of another.
    package let isGenesisTopic: Bool
}

extension Producer {
    /// The topics that are written to, each with its genesis topic behind it.
    /// - Parameter settings: The settings, for defaults and names.
    /// - Returns: The topics, in the order of the declaration.
    /// - Throws: ``DionysusError`` with code `declaration`, all faults in one.
    package func publishedTopics(_ settings: ProducerSettings) throws -> [PublishedTopic] {
        let faults = topicFaults(settings)
        guard faults.isEmpty else {
            throw DionysusError(.declaration, "the settings of topics are wrong: \(faults.joined(separator: "; "))")
        }
        return namedTopics(settings).flatMap { name, topic in topic.published(as: name, defaults: settings.topics) }
    }

    /// What is wrong with the settings of topics, a line each.
    /// - Parameter settings: The settings, for names.
    package func topicFaults(_ settings: ProducerSettings) -> [String] {
        namedTopics(settings)
            .flatMap { name, topic in
                let genesis = topic.genesisReplica ? topic.genesisSettings.faults(of: "topic \(name)_genesis") : []
                return topic.settings.faults(of: "topic \(name)") + genesis
            }
    }

    private func namedTopics(_ settings: ProducerSettings) -> [(name: String, topic: ProducerTopic)] {
        namespaces.flatMap { namespace in
            namespace.topics.map { ("\(settings.topicPrefix)\(namespace.name)_\($0.name)", $0) }
        }
    }
}
