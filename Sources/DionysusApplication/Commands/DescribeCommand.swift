import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

struct DescribeCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "describe",
            abstract: "Shows the declaration: what is published where and when, and what is replicated.",
            discussion: """
                It reads only the declaration, and needs neither databases nor broker. With --observers it also asks the source \
                database what SQL attributes read, whose changes publish models as well.

                --yaml prints a file for the program `dionysus`, which publishes and consumes the same as far as no code is \
                needed for it. What only code can say is named in comments at its beginning.

                JSON: an object with published, a list of topics with topic, genesis_topic and models (model, table, \
                partition_key, attributes, links, with, observes, derived, polls), with consumed, a list of topics with topic, \
                pattern, start, on_failure, dead_letters and options, and with replicas, a list of objects with model, \
                namespace, table, storage and options.
                """
        )
    }

    @Flag(help: "Print the declaration as JSON.") var json = false
    @Flag(help: "Print a flow chart for Mermaid.") var mermaid = false
    @Flag(help: "Print the declaration as a file for the program `dionysus`.") var yaml = false
    @Flag(help: "Ask the source database what SQL attributes read.") var observers = false

    func validate() throws {
        guard [json, mermaid, yaml].count(where: \.self) < 2 else {
            throw ValidationError("--json, --mermaid and --yaml exclude each other")
        }
        if observers, yaml || mermaid { throw ValidationError("--observers is for text and --json") }
    }

    func run() async throws {
        let application = App()
        guard !yaml else {
            let text = FileText(
                application.producer,
                application.consumer,
                name: App.name,
                settings: application.settings
            )
            return print(text.text)
        }
        let settings = try ResolvedSettings.resolve(of: application).values
        let registry = Registry(application.producer, settings: settings.producer)
        let outline = DeclarationOutline(
            published: observers ? try await derived(registry) : registry.outline,
            consumed: ConsumerOutline(application.consumer, settings: settings.consumer)
        )
        print(json ? outline.json.text : mermaid ? outline.mermaid : outline.text)
    }

    private func derived(_ registry: Registry) async throws -> [PublishedTopicOutline] {
        let source = try ApplicationEnvironment<App>().source()
        let (topics, faults) = try await registry.outline(from: source)
        await source.close()
        for fault in faults { printError(fault) }
        return topics
    }
}
