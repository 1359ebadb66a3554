import ArgumentParser
import DionysusFile

struct FileSchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints the JSON Schema of the file, for editors."
    )

    @Flag(help: ArgumentHelp("Print the tables of the reference page instead.", visibility: .hidden))
    var markdown = false

    func run() { print(markdown ? FileReference.markdown : FileSchema.text) }
}
