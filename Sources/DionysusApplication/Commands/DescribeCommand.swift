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
                It reads only the declaration, and needs neither databases nor broker.

                JSON: an object with published, a list of topics with topic, genesis_topic and models (model, table, \
                partition_key, attributes, links, with, observes), with consumed, a list of topics with topic, \
                pattern, start, on_failure, dead_letters and options, and with replicas, a list of objects with model, \
                namespace, table, storage and options.
                """
        )
    }

    @Flag(help: "Print the declaration as JSON.") var json = false
    @Flag(help: "Print a flow chart for Mermaid.") var mermaid = false

    func validate() throws {
        if json, mermaid { throw ValidationError("--json and --mermaid exclude each other") }
    }

    func run() async throws {
        let settings = try ResolvedSettings.resolve(of: App()).values
        let application = App()
        let outline = DeclarationOutline(
            published: Registry(application.producer, settings: settings.producer).outline,
            consumed: ConsumerOutline(application.consumer, settings: settings.consumer)
        )
        print(json ? outline.json.text : mermaid ? outline.mermaid : outline.text)
    }
}
