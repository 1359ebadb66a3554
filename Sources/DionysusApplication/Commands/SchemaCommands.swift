import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

struct MigrateCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "migrate",
            abstract: "Creates or upgrades tables and triggers in both databases; safe to repeat."
        )
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try await environment.migrate()
        print("migrated \(environment.locations)")
    }
}

struct UninstallCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "uninstall",
            abstract:
                "Removes the library's tables and triggers from both databases; the application's own tables stay."
        )
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try await environment.uninstall()
        print("uninstalled from \(environment.locations)")
    }
}

struct ValidateCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "validate",
            abstract: "Reports everything in which the declaration does not fit the databases."
        )
    }

    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let faults = try await environment.validate()
        if json {
            let list = JSON.array(faults.map(JSON.string))
            print(JSON.object(["valid": .bool(faults.isEmpty), "faults": list]).text)
        } else if faults.isEmpty {
            print("the declaration fits both databases")
        }
        guard faults.isEmpty else {
            if !json { for fault in faults { printError("- \(fault)") } }
            throw ExitCode.failure
        }
    }
}

extension ApplicationEnvironment {
    /// Where both databases are, for messages.
    var locations: String {
        "\(shownURL(settings.sourceDatabaseURL)) and \(shownURL(settings.replicaDatabaseURL))"
    }

    /// Creates or upgrades tables and triggers in both databases; safe to repeat.
    public func migrate() async throws {
        let (source, replica) = (try source(), try replica())
        let application = application
        try await source.exclusively("application:migrate") { try application.migrateSource(&$0) }
        try await OutboxSchema(database: source, registry: registry).migrate(lanes: settings.producer.lanes)
        try await replica.exclusively("application:migrate") { try application.migrateReplica(&$0) }
        try await ConsumerSchema(database: replica).migrate()
        await source.close()
        await replica.close()
    }

    func uninstall() async throws {
        let (source, replica) = (try source(), try replica())
        try await OutboxSchema(database: source, registry: registry).uninstall()
        try await ConsumerSchema(database: replica).uninstall()
        await source.close()
        await replica.close()
    }

    func validate() async throws -> [String] {
        let (source, replica) = (try source(), try replica())
        var faults = try await OutboxSchema(database: source, registry: registry).validate().map { "source: \($0)" }
        faults += application.producer.topicFaults(settings.producer).map { "source: \($0)" }
        faults += try await ConsumerSchema(database: replica)
            .validate(application.consumer, settings: settings.consumer)
            .map { "replica: \($0)" }
        await source.close()
        await replica.close()
        return faults
    }
}
