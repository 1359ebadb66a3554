import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

struct TopicsCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "topics",
            abstract: "Shows the declared topics, whether they exist, and how they differ from the declaration.",
            discussion: """
                --create creates missing topics that this application writes to: published topics, genesis topics, and \
                dead-letter topics. Existing topics are never changed; differences from the declaration are shown as \
                drift. Properties that a broker doesn't report are not compared. The publisher creates a topic that \
                this application only reads.

                Exits with 0 even if topics are missing or differ; with --check, with 1.

                JSON: a list of objects with topic, uses (of produce, genesis, consume, dead_letters), exists, created, \
                partitions (or null) and drift, a list of objects with setting, declared and actual.
                """
        )
    }

    @Flag(help: "Create the missing topics that this application writes to.") var create = false
    @Flag(help: "Exit with 1 if topics are missing or differ from the declaration.") var check = false
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let broker = try environment.broker()
        var report = TopicReport(try await environment.declaredTopics(on: broker))
        try await report.compare(with: broker)
        if create, !report.creatable.isEmpty {
            report.noteMissing()
            try await broker.createTopics(report.creatable)
            try await report.compare(with: broker, until: { $0.creatable.isEmpty })
        } else if check {
            // Other brokers report new topics with a delay.
            try await report.compare(with: broker, until: { $0.creatable.isEmpty })
        }
        await broker.close()
        print(json ? report.json.text : report.text)
        if check, !report.isAsDeclared { throw ExitCode.failure }
    }
}

extension ApplicationEnvironment {
    /// All topics that the application declares, and those on the broker that match its patterns.
    func declaredTopics(on broker: any MessageBroker) async throws -> [DeclaredTopic] {
        var topics: [DeclaredTopic] = []
        func add(_ name: String, _ use: DeclaredTopic.Use, _ specification: TopicSpecification?) {
            if let index = topics.firstIndex(where: { $0.name == name }) {
                if !topics[index].uses.contains(use) { topics[index].uses.append(use) }
                topics[index].specification = topics[index].specification ?? specification
            } else {
                topics.append(DeclaredTopic(name: name, uses: [use], specification: specification))
            }
        }
        for topic in try application.producer.publishedTopics(settings.producer) {
            add(topic.specification.name, topic.isGenesisTopic ? .genesis : .produce, topic.specification)
        }
        let consumed = ConsumedTopics(application.consumer, settings: settings.consumer)
        for name in try await consumed.names(on: broker) { add(name, .consume, nil) }
        for name in consumed.deadLetterNames {
            add(name, .deadLetters, settings.producer.topics.specification(of: name))
        }
        return topics
    }
}
