import Dionysus
import DionysusApplication
import DionysusFile
import Foundation

/// `dionysus -f FILE COMMAND`.
@main
enum DionysusCommand {
    static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        do {
            let path = try takeFile(&arguments) ?? "dionysus.yml"
            let command = arguments.first ?? "help"
            if Self.withoutFile.contains(command) || arguments.contains("--help") || arguments.contains("-h") {
                if command == "help" || command.hasPrefix("-") { print(Self.usage) }
                return await TwoSidedApplication.run(arguments)
            }
            let file = try await load(path, for: command)
            LoadedFile.current = file
            switch (file.producer != nil, file.consumer != nil) {
            case (true, false): await PublishingApplication.run(arguments)
            case (false, true): await ConsumingApplication.run(arguments)
            default: await TwoSidedApplication.run(arguments)
            }
        } catch {
            FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
            exit(error is WrongUsage ? 64 : 1)
        }
    }

    private static let usage = """
        dionysus [-f FILE] COMMAND: what FILE declares, dionysus.yml by default

        """

    /// Commands that read no file, or files of their own.
    private static let withoutFile = ["init", "diff", "schema", "help", "--help", "-h", "--version", "version"]

    /// Commands for which the file alone has to do, whatever it leaves to the environment.
    private static let offline = ["check", "contract", "describe", "replica-tables"]

    /// Commands that don't ask what columns a published model has.
    private static let withoutColumns = [
        "check", "consume", "lag", "reset", "backfill", "replica", "failures", "events", "health", "config", "topics",
        "replica-tables",
    ]

    private struct WrongUsage: Error, CustomStringConvertible {
        let description: String
    }

    /// Takes `-f FILE` off the arguments before the command.
    private static func takeFile(_ arguments: inout [String]) throws -> String? {
        guard let first = arguments.first else { return nil }
        if first == "-f" || first == "--file" {
            guard arguments.count > 1 else { throw WrongUsage(description: "\(first) needs a file") }
            arguments.removeFirst(2)
            // What follows is a command.
            return CommandLine.arguments[2]
        }
        guard first.hasPrefix("--file=") else { return nil }
        arguments.removeFirst()
        return String(first.dropFirst("--file=".count))
    }

    private static func load(_ path: String, for command: String) async throws -> DeclarationFile {
        let environment = ProcessInfo.processInfo.environment
        let file = try DeclarationFile(
            path: path,
            environment: environment,
            needsVariables: !offline.contains(command)
        )
        guard file.leavesColumnsToDatabase, file.producer != nil, !withoutColumns.contains(command) else { return file }
        LoadedFile.current = file
        let source = try ApplicationEnvironment<PublishingApplication>().source()
        if command == "migrate" {
            try await source.exclusively("application:migrate") { try PublishingApplication().migrateSource(&$0) }
        }
        let completed = try await file.completed(from: source)
        await source.close()
        return completed
    }
}
