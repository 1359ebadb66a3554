import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusProducer

struct AnnounceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "announce",
        abstract: "Publishes an announcement, through the outbox.",
        discussion: "It needs a schema registry: DIONYSUS_SCHEMA_REGISTRY_URL. A relay sends the announcement."
    )

    @Argument(help: "What is announced.") var text: String
    @Flag(help: "Roll the transaction back, so that nothing is announced.") var rollBack = false

    func run() async throws {
        guard Feed.isDeclared else {
            throw DionysusError(
                .configuration,
                "announcements have a schema of a registry, and there is none",
                advice: "set DIONYSUS_SCHEMA_REGISTRY_URL to its address"
            )
        }
        let environment = try ApplicationEnvironment<RentalsApplication>()
        let source = try environment.source()
        do {
            try await announce(environment, source)
        } catch {
            await source.close()
            throw error
        }
        await source.close()
        print(rollBack ? "rolled back" : "announced")
    }

    private struct RolledBack: Error {}

    private func announce(
        _ environment: ApplicationEnvironment<RentalsApplication>,
        _ source: any CapturingDatabase
    ) async throws {
        let settings = environment.settings.producer
        let publisher = try await MessagePublisher(
            environment.registry,
            topic: settings.topicPrefix + Feed.announcements,
            database: source,
            settings: settings
        )
        do {
            try await source.transaction(.write) { [text, rollBack] transaction in
                try publisher.publish(PlainMessage(["text": .string(text)]), in: &transaction)
                if rollBack { throw RolledBack() }
            }
        } catch is RolledBack {
            return
        }
    }
}
