import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusFile
import DionysusProducer

/// Every mistake that is found before anything else runs has been reported when the file was loaded.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reports every mistake in the file; needs neither databases nor broker."
    )

    func run() throws {
        guard let file = LoadedFile.current else { return }
        let faults = file.declarationFaults
        guard faults.isEmpty else {
            throw DionysusError(.declaration, faults.map { "\(file.path): \($0)" }.joined(separator: "\n"))
        }
        print("\(file.path) is right")
        let models = file.modelsWithoutColumns
        guard !models.isEmpty else { return }
        print(
            "it doesn't name the columns of \(models.joined(separator: ", ")), so `validate` looks at them in the database"
        )
    }
}
