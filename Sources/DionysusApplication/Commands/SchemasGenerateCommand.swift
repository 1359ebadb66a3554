import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusSchemas
import Foundation

struct SchemasGenerateCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "generate",
            abstract: "Prints Swift types or tables for the Avro schemas of a folder.",
            discussion: """
                Every file .avsc of the folder and the folders in it is read; a schema finds others by name from there: \
                a.b.C is a/b/C.avsc. --swift prints a Codable type for each record and enumeration, --sql the tables of a \
                replica for each file's record, --models the Swift types of these tables. Files whose names end in _key or \
                -key are keys, of which no tables are made.
                """
        )
    }

    enum Output: String, EnumerableFlag {
        case swift, sql, models
    }

    @Argument(help: "The folder with the schemas.") var folder: String
    @Flag(help: "What to print.") var output: Output = .swift
    @Option(help: "The database for which to write SQL.") var database = ReplicaTablesCommand<App>.Database.postgres
    @Option(help: ArgumentHelp("Write it to a file instead of printing it.", valueName: "file")) var write: String?

    func run() async throws {
        let files = try schemaFiles()
        let options = SchemaFolderOptions.folder(folder)
        let text: String
        switch output {
        case .swift: text = try AvroSwiftTypes(files.map { try options.schema(in: $0) }).source
        case .sql, .models:
            let schemas = try files.filter { !$0.isOfKey }.map { try options.schema(in: $0) }
            let settings = try ResolvedSettings.resolve(of: App()).values.consumer
            let tables = try ReplicaTables(for: Contract(of: schemas), topics: nil, settings: settings)
            if output == .models {
                text = tables.swiftSource
            } else {
                let dialect = try database.dialect
                text = tables.tables.flatMap { $0.creation(dialect) }.map { $0 + ";" }.joined(separator: "\n\n")
            }
        }
        guard let write else { return print(text) }
        try writeFile(Data((text + "\n").utf8), "what is generated", to: write)
        print("wrote \(write)")
    }

    /// The files in the order of their paths, so that every run prints the same.
    private func schemaFiles() throws -> [String] {
        guard let found = FileManager.default.enumerator(atPath: folder) else {
            throw DionysusError(.notFound, "there is no folder \(folder)", advice: "name the folder with the schemas")
        }
        let files = found.compactMap { $0 as? String }.filter { $0.hasSuffix(".avsc") }.sorted()
        guard !files.isEmpty else {
            throw DionysusError(.notFound, "\(folder) has no files .avsc", advice: "name the folder with the schemas")
        }
        return files.map { "\(folder)/\($0)" }
    }
}

extension SchemaFolderOptions {
    fileprivate static func folder(_ folder: String) -> SchemaFolderOptions {
        var options = SchemaFolderOptions()
        options.folder = folder
        return options
    }
}

extension String {
    fileprivate var isOfKey: Bool { hasSuffix("_key.avsc") || hasSuffix("-key.avsc") }
}
