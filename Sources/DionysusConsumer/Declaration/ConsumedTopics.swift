package import Dionysus
package import DionysusSchemas

/// The declared topics under their full names.
package struct ConsumedTopics: Sendable {
    private let declared: [(name: String, topic: ConsumerTopic)]
    private let topics: [String: ConsumerTopic]
    private let patternTopics: TopicPatterns
    /// What reads verification topics, by their full names.
    private let comparing: [String: ConsumerTopic]
    private let hasRegistry: Bool
    private let namespaceFaults: [String]

    /// Reads a declaration.
    /// - Parameters:
    ///   - settings: The settings, for the names' prefix.
    package init(_ consumer: some Consumer, settings: ConsumerSettings) {
        var all = consumer.namespaces.flatMap { namespace in
            namespace.topics.map { topic in
                var topic = topic
                topic.namespace = namespace.name
                topic.filters = consumer.filters + topic.filters
                topic.middleware = consumer.middleware + topic.middleware
                let prefix = topic.isNamedInFull ? "" : "\(settings.topicPrefix)\(namespace.name)_"
                return (prefix: prefix, topic: topic)
            }
        }
        let claims = ModelClaims(
            all.map(\.topic),
            factory: ModelFactory(consumer, settings),
            inflection: settings.inflection
        )
        for number in all.indices {
            all[number].topic.acceptance = claims.acceptance(ofTopic: number, all[number].topic.models)
        }
        declared = all.filter { !$0.topic.isPattern }.map { ("\($0.prefix)\($0.topic.name)", $0.topic) }
        patternTopics = TopicPatterns(all.filter(\.topic.isPattern))
        hasRegistry = settings.schemaRegistry != nil
        namespaceFaults = consumer.namespaces.flatMap { namespace in
            namespace.faults.map { "namespace \(namespace.name): \($0)" }
        }
        topics = Dictionary(declared.map { ($0.name, $0.topic) }, uniquingKeysWith: { $1 })
        comparing = Dictionary(
            declared.filter(\.topic.isVerified)
                .map { (VerificationMarker.topic(of: $0.name), $0.topic.comparing($0.name)) },
            uniquingKeysWith: { $1 }
        )
    }

    /// The full names, in the order of the declaration, without those that only a pattern matches.
    package var names: [String] { declared.map(\.name) }

    /// The regular expressions that the full names of more topics match.
    ///
    /// A verification topic is made by its first run, so that it is looked for instead of being missed.
    var patterns: [String] {
        patternTopics.expressions + comparing.keys.sorted().map { "^\(TopicPatterns.escaped($0))$" }
    }

    /// Whether replicas are compared with their source.
    var verifiesAny: Bool { !comparing.isEmpty }

    /// Every declaration, in their order, those by name first.
    var all: [ConsumerTopic] { declared.map(\.topic) + patternTopics.topics }

    /// What each topic may write, a line each.
    var acceptances: [String] {
        (declared + zip(patternTopics.expressions, patternTopics.topics))
            .map { name, topic in "\(name) may write \(topic.acceptance?.description ?? "any model")" }
    }

    /// The declaration of a topic: that of its name, else of the first pattern that it matches.
    subscript(name: String) -> ConsumerTopic {
        topics[name] ?? comparing[name] ?? patternTopics.topic(matching: name) ?? ConsumerTopic(name)
    }

    /// How the messages of a topic are read; nil for one that isn't declared.
    package func encoding(ofTopic name: String) -> TopicEncoding? { contains(name) ? self[name].encoding : nil }

    /// Whether a topic is to be read.
    func contains(_ name: String) -> Bool {
        topics[name] != nil || comparing[name] != nil || patternTopics.topic(matching: name) != nil
    }

    /// The full names, with those of existing topics that only a pattern matches.
    /// - Returns: The declared names, whether they exist or not, then those that exist and match a pattern.
    /// - Throws: What the broker throws.
    package func names(on broker: any MessageBroker) async throws -> [String] {
        guard !patterns.isEmpty else { return names }
        let existing = try await existing(on: broker).map(\.name)
        return names + existing.filter { !names.contains($0) }.sorted()
    }

    /// The topics to be read that exist.
    /// - Throws: What the broker throws.
    func existing(on broker: any MessageBroker) async throws -> [TopicDescription] {
        guard !patterns.isEmpty else { return try await broker.describeTopics(names) }
        return try await broker.describeTopics(nil).filter { contains($0.name) }
    }

    /// The partitions to be read that exist.
    /// - Throws: What the broker throws.
    func partitions(on broker: any MessageBroker) async throws -> [TopicPartition] {
        try await existing(on: broker)
            .flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
    }

    /// The topics that messages which fail are sent to.
    package var deadLetterNames: [String] {
        all.reduce(into: []) { found, topic in
            guard case .deadLetter(let name, _) = topic.failurePolicy, !found.contains(name) else { return }
            found.append(name)
        }
    }

    /// Whether messages may have to be sent to other topics.
    var hasDeadLetters: Bool { !deadLetterNames.isEmpty }

    /// What is wrong with the declaration in itself, a line each.
    package var faults: [String] {
        var faults = namespaceFaults
        if all.isEmpty { faults.append("no topic is declared") }
        faults += patternTopics.faults(deadLetterNames: deadLetterNames)
        for (name, count) in Dictionary(grouping: names, by: \.self).mapValues(\.count) where count > 1 {
            faults.append("topic \(name) is declared \(count) times")
        }
        let named = declared + zip(patternTopics.expressions, patternTopics.topics)
        for topic in patternTopics.topics where topic.isVerified {
            faults.append("the topic pattern '\(topic.name)' can't be verified: declare the topics by their names")
        }
        for (name, topic) in named where !(1...256).contains(topic.lanes) {
            faults.append("topic \(name) has \(topic.lanes) lanes, which must be from 1 to 256")
        }
        for (name, topic) in named where topic.encoding.needsRegistry && !hasRegistry {
            faults.append(
                "topic \(name) is read with schemas of a registry, and there is none: set DIONYSUS_SCHEMA_REGISTRY_URL, or let "
                    + "the encoding's framing be another"
            )
        }
        for (name, topic) in named where topic.holdsMessages {
            if topic.encoding.recordFormat == nil {
                faults.append("topic \(name) holds messages that are no model's: its encoding has to be .record(…)")
            }
            if !topic.handlers.isEmpty || topic.eventIdentity != nil {
                faults.append(
                    "topic \(name) holds messages that are no model's: handle messages or batches, not events"
                )
            }
        }
        for (name, topic) in named where topic.identifier != nil {
            if case .envelope = topic.encoding.shape {
                faults.append("topic \(name) holds envelopes, whose records have an id: leave identifying(by:) out")
            }
        }
        for (name, topic) in named where !topic.holdsMessages && !topic.messageHandlers.isEmpty {
            faults.append("topic \(name) holds records: declare it as Topic(messages:) to handle its messages")
        }
        for (name, topic) in named where topic.encoding.format != nil {
            do { try topic.encoding.format?.schema.checked(topic.encoding) } catch {
                faults.append("topic \(name): \(error)")
            }
        }
        for (name, topic) in named {
            guard case .deadLetter(let other, let retries) = topic.failurePolicy else { continue }
            if other == name { faults.append("topic \(name) is its own dead-letter queue") }
            if other.isEmpty { faults.append("topic \(name) has a dead-letter queue without a name") }
            if retries < 0 { faults.append("topic \(name) has a negative number of retries") }
        }
        return faults.sorted()
    }
}
