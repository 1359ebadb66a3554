import ArgumentParser
import Dionysus
import DionysusProducer
import DionysusSchemas

import struct Foundation.Data
import struct Foundation.URL

struct ContractCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "contract",
            abstract: "Prints the contract of what is published, or checks it against an earlier one.",
            discussion: """
                It reads only the declaration, needs neither databases nor broker, and prints the same on every run.

                With --check it prints a line for each change since the file was written that breaks a consumer, and \
                exits with 1 if there is one. Modes: forward, consumers of the file's contract read new messages; \
                backward, consumers of the new contract read the file's messages; full, both.

                The json format is an object with dionysus (the version of the format) and topics: name, encoding, \
                partition_key (an attribute, null for the message key, or an object with computed_from) and models. A \
                model has name, key (name, type), attributes (name, type, nullable, and scale, values or items if \
                known), links (name, to, models) and with, the models sideloaded into it.
                """
        )
    }

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case json
        case jsonSchema = "json-schema"
        case avro
        case asyncapi
        case markdown
    }

    @Option(help: "The output format.") var format: Format?
    @Option(help: ArgumentHelp("Only this topic, by its full name.", valueName: "topic")) var topic: String?
    @Option(help: ArgumentHelp("Write it to a file instead of printing it.", valueName: "file")) var write: String?
    @Option(help: ArgumentHelp("The file with the earlier contract, in the form json.", valueName: "file"))
    var check: String?
    @Option(help: "The direction of compatibility; forward by default.") var mode: ContractCompatibility?

    func validate() throws {
        if check != nil, format != nil || write != nil {
            throw ValidationError("--check excludes --format and --write")
        }
        if check == nil, mode != nil { throw ValidationError("--mode belongs to --check") }
    }

    func run() async throws {
        let settings = try ResolvedSettings.resolve(of: App()).values
        let contract = try Registry(App().producer, settings: settings.producer).contract
        if let check {
            try compare(contract.keeping(topic), with: Contract.load(from: check).keeping(topic, orNone: true))
            return
        }
        let text = try text(of: contract.keeping(topic))
        guard let write else { return print(text) }
        try writeFile(Data((text + "\n").utf8), "the contract", to: write)
        print("wrote \(write)")
    }

    private func text(of contract: Contract) throws -> String {
        switch format ?? .json {
        case .json: contract.document.indentedText
        case .jsonSchema: (contract.jsonSchema(of: topic) ?? .null).indentedText
        case .avro: contract.avroSchemas.indentedText
        case .asyncapi: contract.asyncAPI(title: App.name, version: App.version).indentedText
        case .markdown: contract.markdown
        }
    }

    private func compare(_ contract: Contract, with earlier: Contract) throws {
        let mode = mode ?? .forward
        let changes = contract.breakingChanges(since: earlier, for: mode)
        guard !changes.isEmpty else { return print("nothing breaks (\(mode.rawValue))") }
        for change in changes { print("\(change)") }
        throw ExitCode.failure
    }
}

extension ContractCompatibility: ExpressibleByArgument {}

extension Contract {
    /// Reads a contract file.
    static func load(from path: String) throws -> Contract {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw DionysusError(
                .notFound,
                "the contract \(path) can't be read: \(error.localizedDescription)",
                advice: "write one with `contract --write FILE`, or check the path"
            )
        }
        do {
            return try Contract(parsing: data)
        } catch let error as DionysusError {
            throw DionysusError(.malformed, "\(path): \(error)", underlying: error)
        }
    }

    /// The contract of a single topic.
    fileprivate func keeping(_ topic: String?, orNone: Bool = false) throws -> Contract {
        guard let topic else { return self }
        let kept = topics.filter { $0.name == topic }
        guard !kept.isEmpty || orNone else {
            throw DionysusError(
                .notFound,
                "no topic \(topic) is published",
                advice: "name one of \(topics.map(\.name).joined(separator: ", "))"
            )
        }
        return Contract(topics: kept)
    }
}
