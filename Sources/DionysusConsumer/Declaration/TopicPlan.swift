import Dionysus

/// The declared topics under their full names.
struct TopicPlan: Sendable {
    private let topics: [String: ConsumerTopic]

    /// The full names, in the order of the declaration.
    let names: [String]

    init(_ consumer: some Consumer, settings: ConsumerSettings) {
        var topics: [String: ConsumerTopic] = [:]
        var names: [String] = []
        for namespace in consumer.namespaces {
            for topic in namespace.topics {
                let name = "\(settings.topicPrefix)\(namespace.name)_\(topic.name)"
                topics[name] = topic
                names.append(name)
            }
        }
        self.topics = topics
        self.names = names
    }

    /// The declaration of a topic.
    subscript(name: String) -> ConsumerTopic { topics[name] ?? ConsumerTopic(name) }

    /// Whether messages may have to be sent to other topics.
    var hasDeadLetters: Bool {
        topics.values.contains { if case .deadLetter = $0.failurePolicy { true } else { false } }
    }

    /// What is wrong with the declaration in itself, a line each.
    var faults: [String] {
        var faults: [String] = []
        if names.isEmpty { faults.append("no topic is declared") }
        for (name, count) in Dictionary(grouping: names, by: \.self).mapValues(\.count) where count > 1 {
            faults.append("topic \(name) is declared \(count) times")
        }
        for name in names {
            guard case .deadLetter(let other, let retries) = self[name].failurePolicy else { continue }
            if other == name { faults.append("topic \(name) is its own dead-letter queue") }
            if other.isEmpty { faults.append("topic \(name) has a dead-letter queue without a name") }
            if retries < 0 { faults.append("topic \(name) has a negative number of retries") }
        }
        return faults.sorted()
    }
}
