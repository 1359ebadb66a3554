import ArgumentParser
import DionysusApplication
import DionysusEvents

struct RebuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Makes the read model anew from all events, and swaps it in.",
        discussion: """
            The board stays readable and up to date meanwhile. After a kill, the next rebuild continues where it stopped.
            """
    )

    @Option(help: "Number of events in a transaction.") var batchSize = 5_000

    func validate() throws {
        guard batchSize > 0 else { throw ValidationError("--batch-size must be at least 1") }
    }

    func run() async throws {
        try await withDatabase { database in
            let report = try await ProjectionRebuild(of: AdStreams.board, on: database, batchSize: batchSize).run()
            print("rebuilt ad_board from \(report.events) events\(report.wasResumed ? ", continuing a rebuild" : "")")
        }
    }
}
