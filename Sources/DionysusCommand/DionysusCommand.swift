import DionysusApplication
import DionysusFile

/// `dionysus -f FILE COMMAND`.
@main
enum DionysusCommand {
    static func main() async {
        do {
            let arguments = try FileArguments(Array(CommandLine.arguments.dropFirst()))
            if arguments.asksForHelp || Self.withoutFile.contains(arguments.command) {
                if arguments.command == "help" || arguments.command.hasPrefix("-") { print(Self.usage) }
                return await TwoSidedApplication.run(arguments.rest)
            }
            let path = arguments.path ?? TwoSidedApplication.file
            let file = try await PublishingApplication.load(path, for: arguments.command)
            LoadedFile.current = file
            switch (file.producer != nil, file.consumer != nil) {
            case (true, false): await PublishingApplication.run(arguments.rest)
            case (false, true): await ConsumingApplication.run(arguments.rest)
            default: await TwoSidedApplication.run(arguments.rest)
            }
        } catch {
            TwoSidedApplication.stop(error)
        }
    }

    private static let usage = """
        dionysus [-f FILE] COMMAND: what FILE declares, dionysus.yml by default

        """

    /// Commands that read no file, or files of their own.
    private static let withoutFile = ["init", "diff", "schema"]
}
