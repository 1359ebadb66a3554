import ArgumentParser
import Dionysus
import DionysusSchemas
import Foundation

/// A file with an Avro schema.
struct SchemaFileOptions: ParsableArguments {
    @Argument(help: "The file with the schema.") var file: String
    @OptionGroup var folder: SchemaFolderOptions

    func schema() throws -> AvroSchema { try folder.schema(in: file) }
}

/// Where schemas are that a schema names.
struct SchemaFolderOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A folder where schemas are found that a schema names: a.b.C is a/b/C.avsc.",
            valueName: "folder"
        )
    )
    var folder: String?

    func schema(in file: String) throws -> AvroSchema {
        let text = String(decoding: try fileContents(file), as: UTF8.self)
        do {
            return try AvroSchema(
                parsing: text.trimmingCharacters(in: .whitespacesAndNewlines),
                .lenient,
                with: folder.map { AvroSchemas(folder: $0) }
            )
        } catch let error as DionysusError {
            throw DionysusError(error.code, "\(file): \(error.message)", advice: error.advice, underlying: error)
        }
    }
}

/// What a file holds.
func fileContents(_ file: String) throws -> Data {
    do {
        return try Data(contentsOf: URL(filePath: file))
    } catch {
        throw DionysusError(.notFound, "\(file) can't be read: \(error.localizedDescription)", underlying: error)
    }
}

struct SchemasCanonicalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "canonical",
        abstract: "Prints an Avro schema's Parsing Canonical Form."
    )

    @OptionGroup var options: SchemaFileOptions

    func run() async throws { print(try options.schema().canonicalForm) }
}

struct SchemasFingerprintCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint",
        abstract: "Prints the fingerprint of an Avro schema's canonical form, in hexadecimal.",
        discussion: "That of crc64 is the number, its highest digit first."
    )

    @OptionGroup var options: SchemaFileOptions
    @Option(help: "How it is made.") var algorithm = Algorithm.crc64

    enum Algorithm: String, ExpressibleByArgument, CaseIterable {
        case crc64, md5, sha256

        var algorithm: AvroSchema.FingerprintAlgorithm {
            switch self {
            case .crc64: .crc64
            case .md5: .md5
            case .sha256: .sha256
            }
        }
    }

    func run() async throws {
        let bytes = try options.schema().fingerprint(algorithm.algorithm)
        print(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}

struct SchemasDecodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Prints data of Avro, a line of JSON for each datum.",
        discussion: """
            The file is an object container, which has its schema; or, with --schema, data in the binary encoding, one \
            behind another. The lines are in Avro's JSON encoding, from which encode makes the same data again.
            """
    )

    @Argument(help: "The file with the data.") var file: String
    @Option(help: ArgumentHelp("The schema that bare data was written with.", valueName: "file")) var schema: String?
    @Option(help: ArgumentHelp("The schema that it is read as.", valueName: "file")) var reader: String?
    @Flag(help: "Print JSON for programs that have no schema.") var plain = false
    @OptionGroup var folder: SchemaFolderOptions

    func run() async throws {
        let bytes = Array(try fileContents(file))
        let reader = try reader.map { try folder.schema(in: $0) }
        let documents: [JSON]
        if let schema {
            let plan = try AvroPlan(from: folder.schema(in: schema), to: reader)
            documents = try plan.documents(from: bytes, plain: plain)
        } else {
            documents = try AvroContainer(parsing: bytes).documents(plain: plain, as: reader)
        }
        for document in documents { print(document.text) }
    }
}

struct SchemasEncodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode",
        abstract: "Writes lines of JSON as data of Avro.",
        discussion: """
            Each line is a datum in Avro's JSON encoding. They are written in the binary encoding, one behind another, or \
            with --container as an object container file.
            """
    )

    @Option(help: ArgumentHelp("The schema.", valueName: "file")) var schema: String
    @Argument(help: "The file with the lines.") var file: String
    @Option(help: ArgumentHelp("Write it to a file instead of standard output.", valueName: "file")) var write: String?
    @Flag(help: "Write an object container file.") var container = false
    @Flag(help: "Take JSON of programs that have no schema for what the schema has.") var plain = false
    @OptionGroup var folder: SchemaFolderOptions

    func run() async throws {
        let schema = try folder.schema(in: schema)
        var data: [[UInt8]] = []
        for (index, line) in try fileContents(file).split(separator: UInt8(ascii: "\n")).enumerated() {
            do {
                let document = try JSON(parsing: Array(line))
                data.append(plain ? try schema.encode(coercing: document) : try schema.encode(json: document))
            } catch let error as DionysusError {
                throw DionysusError(
                    error.code,
                    "line \(index + 1) of \(file): \(error.message)",
                    advice: error.advice,
                    underlying: error
                )
            }
        }
        var bytes: [UInt8] = []
        if container {
            var writer = try AvroContainerWriter(schema: schema)
            for datum in data { try writer.append(encoded: datum) }
            bytes = try writer.finish()
        } else {
            bytes = Array(data.joined())
        }
        guard let write else { return try FileHandle.standardOutput.write(contentsOf: Data(bytes)) }
        try writeFile(Data(bytes), "the data", to: write)
        print("wrote \(write)")
    }
}
