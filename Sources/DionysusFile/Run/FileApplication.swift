public import Dionysus
public import DionysusApplication
import Foundation

/// An application whose declaration is a file, to which code adds what a file can't say.
///
///     @main
///     struct Shop: FileApplication {
///         let producer: FileProducer
///         let consumer: ShopMirror
///
///         init(_ file: DeclarationFile) {
///             producer = (file.producer ?? FileProducer()).computing("label", of: "Order") { order in
///                 try order.value("title", as: String.self).uppercased()
///             }
///             consumer = ShopMirror(file: file.consumer ?? FileConsumer())
///         }
///     }
///
/// `shop -f shop.yml relay` names the file; settings and the tables that `migrate` creates are the file's, too, unless the
/// application has its own.
public protocol FileApplication: DionysusApplication {
    /// Creates the application of a file.
    /// - Parameter file: The file; one that declares nothing where only help is asked for.
    init(_ file: DeclarationFile)

    /// The file, where the arguments name none. `dionysus.yml` by default.
    static var file: String { get }
}

extension FileApplication {
    public static var file: String { "dionysus.yml" }

    /// Creates the application of the file that the process was started with.
    public init() { self.init(LoadedFile.current ?? DeclarationFile()) }

    public var settings: ApplicationSettings { LoadedFile.current?.settings ?? ApplicationSettings() }
    public func migrateSource(_ transaction: inout Transaction) throws {
        try LoadedFile.current?.migrateSource(&transaction)
    }
    public func migrateReplica(_ transaction: inout Transaction) throws {
        try LoadedFile.current?.migrateReplica(&transaction)
    }

    /// Reads the file, and runs the command line.
    public static func main() async {
        do {
            let arguments = try FileArguments(Array(CommandLine.arguments.dropFirst()))
            if !arguments.asksForHelp {
                LoadedFile.current = try await load(arguments.path ?? file, for: arguments.command)
            }
            await run(arguments.rest)
        } catch {
            stop(error)
        }
    }

    /// Ends the process because its file can't be used.
    package static func stop(_ error: any Error) -> Never {
        FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
        exit(error is FileArguments.WrongUsage ? 64 : 1)
    }

    /// Reads a file, with the columns that it leaves to the database if a command needs them.
    package static func load(_ path: String, for command: String) async throws -> DeclarationFile {
        let environment = ProcessInfo.processInfo.environment
        let file = try DeclarationFile(
            path: path,
            environment: environment,
            needsVariables: !FileCommands.offline.contains(command)
        )
        guard file.leavesColumnsToDatabase, file.producer != nil, !FileCommands.withoutColumns.contains(command) else {
            return file
        }
        LoadedFile.current = file
        let source = try ApplicationEnvironment<Self>().source()
        if command == "migrate" {
            try await source.exclusively("application:migrate") { try Self().migrateSource(&$0) }
        }
        let completed = try await file.completed(from: source)
        await source.close()
        return completed
    }
}

private enum FileCommands {
    /// Commands for which the file alone has to do, whatever it leaves to the environment.
    static let offline = ["check", "contract", "describe", "replica-tables"]

    /// Commands that don't ask what columns a published model has.
    static let withoutColumns = [
        "check", "consume", "lag", "reset", "backfill", "replica", "failures", "events", "health", "config", "topics",
        "replica-tables",
    ]
}
