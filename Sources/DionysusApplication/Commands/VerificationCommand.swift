import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

struct VerificationCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "verification",
            abstract: "Compares replicas with their source while both are in use, and repairs them.",
            discussion: """
                The source's runs publish records to a topic's verification topic, and consumers whose declaration says \
                verified() compare them with their rows. Each command looks at the databases whose addresses are set: \
                the source's knows how much is published, the replica's what differs.
                """,
            subcommands: [
                VerificationStartCommand<App>.self, VerificationListCommand<App>.self,
                VerificationShowCommand<App>.self, VerificationRepairCommand<App>.self,
                VerificationPublishCommand<App>.self,
                VerificationPauseCommand<App>.self, VerificationResumeCommand<App>.self,
                VerificationCancelCommand<App>.self,
            ]
        )
    }
}

struct VerificationStartCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "start",
            abstract: "Starts a run, which relays then process.",
            discussion: "Creates the topic's verification topic if the broker doesn't have it."
        )
    }

    @Argument(help: "The topic's full name: v3_rentals.") var topic: String
    @Argument(help: "The model's name.") var model: String
    @Option(help: "Only records with this primary key or a later one.") var from: String?
    @Option(help: "Only records with this primary key or an earlier one.") var to: String?
    @Option(help: "Days over which to spread the run evenly: 2, or 0.5 for half a day.", transform: days)
    var over: Duration?
    @Flag(help: "Print the run as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.source, .broker])
        let broker = try environment.broker()
        let run = try await environment.closing(broker) {
            try await environment.withSides { sides in
                try await sides.source().start(topic: topic, model: model, from: from, to: to, over: over, on: broker)
            }
        }
        print(
            json ? run.report.text : "started verification run \(run.id); the relay publishes it, consumers compare it"
        )
    }
}

struct VerificationListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list",
            abstract: "Lists all runs with their progress and what they have found.",
            discussion: "JSON: an object with runs (the source's) and compared (the consumer's), each a list or null."
        )
    }

    @Flag(help: "Print the list as JSON.") var json = false

    func run() async throws {
        let found = try await ApplicationEnvironment<App>().withSides { try await $0.runs() }
        print(json ? found.json.text : found.table)
    }
}

struct VerificationShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show",
            abstract: "Shows a run: its progress, and what differs.",
            discussion: """
                JSON: an object with run (the source's, or null) and compared (a list of what consumers have found, each \
                with its differences: id, kind, model, record_id, published_model, published_id, columns, version, \
                found_at, repaired_at).
                """
        )
    }

    @Argument(help: "The run's number.") var id: Int64
    @Option(help: "How many differences to show.") var limit: Int = 1_000
    @Flag(help: "Print the run as JSON.") var json = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() async throws {
        let (found, differences) = try await ApplicationEnvironment<App>()
            .withSides { sides in
                let found = try await sides.runs(id)
                var differences: [ComparedRun: [Difference]] = [:]
                for run in found.compared ?? [] {
                    differences[run] = try await sides.replica().differences(of: run, limit: limit)
                }
                return (found, differences)
            }
        print(json ? found.json(differences).text : found.text(differences))
    }
}

struct VerificationPauseCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "pause", abstract: "Pauses a run until it is resumed.")
    }

    @OptionGroup var choice: VerificationChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.pause($1) } }
}

struct VerificationResumeCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "resume", abstract: "Resumes a run that was paused or has failed.")
    }

    @OptionGroup var choice: VerificationChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.resume($1) } }
}

struct VerificationCancelCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "cancel", abstract: "Cancels a run; what it has found is forgotten.")
    }

    @OptionGroup var choice: VerificationChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.cancel($1) } }
}

/// A verification run of the source.
struct VerificationChoice: ParsableArguments {
    @Argument(help: "The run's number.") var id: Int64
    @Flag(help: "Print the run as JSON.") var json = false

    func perform<App: DionysusApplication>(
        _ type: App.Type,
        _ action: (Verification, Int64) async throws -> GenesisRun
    ) async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.source])
        let run = try await environment.withSides { try await action($0.source(), id) }
        print(json ? run.report.text : run.text)
    }
}
