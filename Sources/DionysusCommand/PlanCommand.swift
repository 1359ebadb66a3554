import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusFile

struct PlanCommand<App: FileApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "plan",
            abstract: "Prints what `migrate` would do, in its order, and changes nothing."
        )
    }

    func run() async throws {
        for line in try await ApplicationEnvironment<App>()
            .plan(
                source: { LoadedFile.current?.migration(of: .source, $0) ?? [] },
                replica: { LoadedFile.current?.migration(of: .replica, $0) ?? [] }
            )
        { print(line) }
    }
}
