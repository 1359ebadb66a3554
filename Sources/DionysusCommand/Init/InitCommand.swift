import ArgumentParser
import Dionysus
import DionysusApplication
import Foundation

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Writes a file for an existing database: its tables, keys, foreign keys and types.",
        discussion: """
            The file runs as it is. Tables that can't be published are named in it with the reason. Columns that look \
            like secrets are left out.
            """
    )

    @Argument(help: "The database; SOURCE_DATABASE_URL by default.") var database: String?
    @Option(help: "The application's name, which its outbox belongs to.") var name = "dionysus"
    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write; printed by default.", valueName: "file"))
    var output: String?
    @Flag(help: "Overwrite the file if it exists.") var force = false

    func run() async throws {
        if let database { setenv("SOURCE_DATABASE_URL", database, 1) }
        let source = try ApplicationEnvironment<PublishingApplication>().source()
        let survey = try await source.transaction(.snapshot) { try DatabaseSurvey(in: &$0) }
        await source.close()
        let text = InitialFile(survey, name: name, address: database ?? "").text
        guard let output else { return print(text, terminator: "") }
        if FileManager.default.fileExists(atPath: output), !force {
            throw DionysusError(.configuration, "\(output) exists", advice: "name another file, or use --force")
        }
        try writeFile(Data(text.utf8), "the declaration", to: output)
        print("wrote \(output): \(survey.published.count) tables, \(survey.refused.count) left out")
    }
}
