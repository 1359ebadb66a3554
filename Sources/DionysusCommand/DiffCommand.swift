import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusFile
import DionysusProducer
import DionysusSchemas
import Foundation

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares what two files publish, and says what breaks consumers of the first.",
        discussion: """
            It exits with 1 if anything breaks. Columns that a file doesn't name are read from its source database.
            """
    )

    @Argument(help: "The earlier file.") var earlier: String
    @Argument(help: "The later file.") var later: String
    @Option(help: "Whose reading counts: backward, forward or full; forward by default.")
    var mode: String = "forward"

    func validate() throws {
        guard ContractCompatibility(rawValue: mode) != nil else {
            throw ValidationError(
                "--mode is one of \(ContractCompatibility.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
    }

    func run() async throws {
        let old = try await contract(of: earlier)
        let new = try await contract(of: later)
        let breaking = new.breakingChanges(since: old, for: ContractCompatibility(rawValue: mode) ?? .forward)
        for change in breaking { print("breaks: \(change)") }
        for addition in new.additions(to: old) { print("new: \(addition)") }
        guard breaking.isEmpty else { throw ExitCode.failure }
        print(old.document == new.document ? "both publish the same" : "nothing breaks (\(mode))")
    }

    private func contract(of path: String) async throws -> Contract {
        let environment = ProcessInfo.processInfo.environment
        var file = try DeclarationFile(path: path, environment: environment, needsVariables: false)
        if file.leavesColumnsToDatabase, file.producer != nil {
            LoadedFile.current = file
            let source = try ApplicationEnvironment<PublishingApplication>().source()
            file = try await file.completed(from: source)
            await source.close()
        }
        return try Registry(file.producer ?? FileProducer(), settings: file.settings.producer).contract
    }
}

extension Contract {
    /// What this contract has that an earlier one lacks, a line each.
    fileprivate func additions(to earlier: Contract) -> [String] {
        topics.flatMap { topic -> [String] in
            guard let old = earlier.topics.first(where: { $0.name == topic.name }) else {
                return ["topic \(topic.name)"]
            }
            return topic.models.flatMap { model in model.additions(to: old.models, "topic \(topic.name)") }
        }
    }
}

extension Contract.Model {
    fileprivate func additions(to earlier: [Contract.Model], _ place: String) -> [String] {
        let place = "\(place), model \(name)"
        guard let old = earlier.first(where: { $0.name == name }) else { return [place] }
        let known = Set(old.attributes.map(\.name) + old.links.map(\.name))
        let attributes = attributes.map(\.name).filter { !known.contains($0) }.map { "\(place): attribute \($0)" }
        let links = links.map(\.name).filter { !known.contains($0) }.map { "\(place): link \($0)" }
        return attributes + links + parts.flatMap { $0.additions(to: old.parts, place) }
    }
}
