public import ArgumentParser
public import Dionysus
public import DionysusConsumer
public import DionysusProducer
public import Logging
public import ServiceLifecycle

/// An application that publishes models, consumes them, or both, as a command line.
///
///     @main
///     struct Bookings: DionysusApplication {
///         let producer = BookingSync()
///         let consumer = RentalMirror()
///     }
///
/// Its commands are `migrate`, `uninstall`, `validate`, `relay`, `consume`, `lag`, `reset`, `backfill`, `replica`,
/// `describe`, `preview`, `compare-payloads`, `schemas`, `messages`, `export`, `topics`, `genesis`, `tombstone`, `outbox`, `failures`,
/// `events`, `console`, `health`, `config`, `version` and those that the application adds. Settings come from code; the
/// environment overrides code, and flags override the environment.
public protocol DionysusApplication: Sendable {
    /// What the application publishes.
    associatedtype ProducerDeclaration: Producer = NoProducer
    /// What the application consumes.
    associatedtype ConsumerDeclaration: Consumer = NoConsumer

    /// Creates the application.
    init()

    /// The name of the executable, for its help. The type's name in lower case by default.
    static var name: String { get }
    /// The application's version. `0.1.0` by default.
    static var version: String { get }
    /// Creates the log handlers for the library.
    ///
    /// The default is the application's own handler if it has called `LoggingSystem.bootstrap` with a handler other
    /// than `StreamLogHandler`, and otherwise a handler that writes to standard error in the format from the settings.
    /// The library itself never calls `LoggingSystem.bootstrap`.
    static func logHandler(label: String, settings: ApplicationSettings) -> any LogHandler

    /// The application's additional commands.
    static var commands: [any ParsableCommand.Type] { get }

    /// What the application publishes. Nothing by default; it then has no producer commands, checks or connections.
    var producer: ProducerDeclaration { get }
    /// What the application consumes. Nothing by default; it then has no consumer commands, checks or connections.
    var consumer: ConsumerDeclaration { get }
    /// The settings, which the environment overrides.
    var settings: ApplicationSettings { get }
    /// Where the services report their events and errors; read once per process. The log by default.
    var instrumentation: Instrumentation { get }

    /// Creates the application's tables in the source database, before the outbox, for applications without their own
    /// migrations. It must be safe to repeat.
    ///
    /// Only one process runs it at a time; the transaction is retried if another process holds a lock for seconds.
    func migrateSource(_ transaction: inout Transaction) throws
    /// Creates the replica's tables, before the consumer's own, for applications without their own migrations. It must
    /// be safe to repeat.
    ///
    /// Only one process runs it at a time; the transaction is retried if another process holds a lock for seconds.
    func migrateReplica(_ transaction: inout Transaction) throws

    /// Creates the application's own services that `relay` runs beside the relay. None by default.
    /// - Parameter source: The database whose changes are published.
    func relayServices(_ source: any CapturingDatabase) -> [any Service]
}

extension DionysusApplication {
    public static var name: String { "\(Self.self)".lowercased() }
    public static var version: String { "0.1.0" }
    public static var commands: [any ParsableCommand.Type] { [] }
    public var settings: ApplicationSettings { ApplicationSettings() }
    public var instrumentation: Instrumentation { Instrumentation() }
    public func migrateSource(_ transaction: inout Transaction) throws {}
    public func migrateReplica(_ transaction: inout Transaction) throws {}
    public func relayServices(_ source: any CapturingDatabase) -> [any Service] { [] }

    /// Runs the command line.
    public static func main() async { await run(nil) }

    /// Runs a command.
    /// - Parameter arguments: The command and its arguments; nil for those of the command line.
    package static func run(_ arguments: [String]?) async {
        do {
            var command = try RootCommand<Self>.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            // The parser prints its own messages; an error may quote outside data.
            guard !(error is ExitCode), RootCommand<Self>.exitCode(for: error) == .failure else {
                RootCommand<Self>.exit(withError: error)
            }
            printError("Error: \(error)")
            RootCommand<Self>.exit(withError: ExitCode.failure)
        }
    }

    public static func logHandler(label: String, settings: ApplicationSettings) -> any LogHandler {
        let own = Logger(label: label).handler
        return own is StreamLogHandler ? makeLogHandler(label: label, format: settings.logFormat) : own
    }
}

struct RootCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: App.name,
            abstract: abstract,
            version: App.version,
            subcommands: commands + App.commands
        )
    }

    private static var abstract: String {
        switch (App.hasProducer, App.hasConsumer) {
        case (true, false): "Publishes models whenever they change."
        case (false, true): "Replicates models that others publish."
        default: "Publishes models whenever they change, and replicates others' models."
        }
    }

    /// The library's commands for the application's sides.
    private static var commands: [any ParsableCommand.Type] {
        let producer: [any ParsableCommand.Type] = [
            RelayCommand<App>.self, PreviewCommand<App>.self, ComparePayloadsCommand<App>.self,
            ContractCommand<App>.self,
            GenesisCommand<App>.self, TombstoneCommand<App>.self,
            OutboxCommand<App>.self,
        ]
        let consumer: [any ParsableCommand.Type] = [
            ConsumeCommand<App>.self, LagCommand<App>.self, ResetCommand<App>.self, BackfillCommand<App>.self,
            ReplicaCommand<App>.self, FailuresCommand<App>.self, EventsCommand<App>.self,
        ]
        return [MigrateCommand<App>.self, UninstallCommand<App>.self, ValidateCommand<App>.self]
            + (App.hasProducer ? producer : []) + (App.hasConsumer ? consumer : [])
            + [
                VerificationCommand<App>.self, TopicsCommand<App>.self, DescribeCommand<App>.self,
                ReplicaTablesCommand<App>.self,
                SchemasCommand<App>.self, MessagesCommand<App>.self, ExportCommand<App>.self,
                ConsoleCommand<App>.self,
                HealthCommand<App>.self, ConfigCommand<App>.self, VersionCommand<App>.self,
            ]
    }
}
