import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusSchemas

struct ReplicaTablesCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "replica-tables",
            abstract: "Prints the tables that a replica needs for a contract, as SQL or as Swift types.",
            discussion: """
                The contract is a file written by the publishing application's `contract --write FILE`. Neither \
                databases nor broker are needed, and nothing is created. Every model gets the conventional table, \
                named by its plural.
                """
        )
    }

    enum Database: String, ExpressibleByArgument, CaseIterable {
        case postgres, sqlite

        var dialect: any SQLDialect {
            get throws {
                switch self {
                case .postgres: try PrintedDialect.postgres()
                case .sqlite: try PrintedDialect.sqlite()
                }
            }
        }
    }

    @Option(name: .customLong("from"), help: ArgumentHelp("The file with the contract.", valueName: "file"))
    var file: String
    @Option(help: "The database for which to write SQL; postgres if neither this nor --swift is given.")
    var sql: Database?
    @Flag(help: "Print Swift types for the records.") var swift = false
    @Option(help: ArgumentHelp("Only for this topic, by its full name; may be repeated.", valueName: "topic"))
    var topic: [String] = []

    func validate() throws {
        if sql != nil, swift { throw ValidationError("--sql and --swift exclude each other") }
    }

    func run() async throws {
        let settings = try ResolvedSettings.resolve(of: App()).values
        let contract = try Contract.load(from: file)
        for name in topic where !contract.topics.contains(where: { $0.name == name }) {
            throw DionysusError(
                .notFound,
                "the contract has no topic \(name)",
                advice: "name one of \(contract.topics.map(\.name).joined(separator: ", "))"
            )
        }
        let tables = try ReplicaTables(
            for: contract,
            topics: topic.isEmpty ? nil : Set(topic),
            settings: settings.consumer
        )
        if swift { return print(tables.swiftSource) }
        let dialect = try (sql ?? .postgres).dialect
        print(tables.tables.flatMap { $0.creation(dialect) }.map { $0 + ";" }.joined(separator: "\n\n"))
    }
}
