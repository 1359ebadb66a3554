import Dionysus

/// The declared topics under their full names.
struct TopicPlan: Sendable {
    private let declared: [(name: String, topic: ConsumerTopic)]
    private let topics: [String: ConsumerTopic]

    init(_ consumer: some Consumer, settings: ConsumerSettings) {
        declared = consumer.namespaces.flatMap { namespace in
            namespace.topics.map { ("\(settings.topicPrefix)\(namespace.name)_\($0.name)", $0) }
        }
        topics = Dictionary(declared.map { ($0.name, $0.topic) }, uniquingKeysWith: { $1 })
    }

    /// The full names, in the order of the declaration.
    var names: [String] { declared.map(\.name) }

    /// The declaration of a topic.
    subscript(name: String) -> ConsumerTopic { topics[name] ?? ConsumerTopic(name) }

    /// Whether messages may have to be sent to other topics.
    var hasDeadLetters: Bool {
        topics.values.contains { if case .deadLetter = $0.failurePolicy { true } else { false } }
    }

    /// What is wrong with the declaration in itself, a line each.
    var faults: [String] {
        var faults: [String] = []
        if declared.isEmpty { faults.append("no topic is declared") }
        for (name, count) in Dictionary(grouping: names, by: \.self).mapValues(\.count) where count > 1 {
            faults.append("topic \(name) is declared \(count) times")
        }
        for (name, topic) in declared where !(1...256).contains(topic.lanes) {
            faults.append("topic \(name) has a concurrency of \(topic.lanes), which must be from 1 to 256")
        }
        for (name, topic) in declared {
            guard case .deadLetter(let other, let retries) = topic.failurePolicy else { continue }
            if other == name { faults.append("topic \(name) is its own dead-letter queue") }
            if other.isEmpty { faults.append("topic \(name) has a dead-letter queue without a name") }
            if retries < 0 { faults.append("topic \(name) has a negative number of retries") }
        }
        return faults.sorted()
    }
}
