import ArgumentParser
import Dionysus
import DionysusSchemas

struct SchemasCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "schemas",
            abstract: "Looks at schemas of Avro and their data, and at a schema registry.",
            discussion: """
                canonical, fingerprint, decode, encode and generate work on files and need nothing else. list, show, check and push \
                ask the registry that DIONYSUS_SCHEMA_REGISTRY_URL names.
                """,
            subcommands: [
                SchemasListCommand<App>.self, SchemasShowCommand<App>.self, SchemasCheckCommand<App>.self,
                SchemasPushCommand<App>.self, SchemasCanonicalCommand.self, SchemasFingerprintCommand.self,
                SchemasDecodeCommand.self, SchemasEncodeCommand.self, SchemasGenerateCommand<App>.self,
            ]
        )
    }
}

struct SchemasListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Lists the registry's subjects with their versions.")
    }

    @Flag(help: "Print the report as JSON.") var json = false
    @Flag(help: "Also what is deleted and can be had back.") var deleted = false

    func run() async throws {
        let registry = try registry(of: App.self)
        var found: [(subject: String, versions: [Int])] = []
        for subject in try await registry.subjects(includesDeleted: deleted) {
            found.append((subject, try await registry.versions(of: subject, includesDeleted: deleted)))
        }
        if json {
            let subjects = found.map { entry -> JSON in
                [
                    "subject": .string(entry.subject),
                    "versions": .array(entry.versions.map { .integer(Int64($0)) }),
                ]
            }
            return print(JSON.array(subjects).text)
        }
        guard !found.isEmpty else { return print("the registry has no subjects") }
        print(
            tableText(
                ["SUBJECT", "VERSIONS"],
                found.map { [$0.subject, $0.versions.map(String.init).joined(separator: ", ")] }
            )
        )
    }
}

struct SchemasShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show",
            abstract: "Prints a schema of the registry.",
            discussion: "It is the latest version of the subject, unless --version or --id says another."
        )
    }

    @Argument(help: "The subject.") var subject: String?
    @Option(help: ArgumentHelp("Which of the subject's versions.", valueName: "number")) var version: Int?
    @Option(help: ArgumentHelp("The schema's id, as messages have it.", valueName: "number")) var id: UInt32?
    @Option(help: "The language of the schema that --id names.") var type = SchemaLanguage.avro
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard (subject == nil) != (id == nil) else { throw ValidationError("name a subject, or a schema with --id") }
        if version != nil, subject == nil { throw ValidationError("--version belongs to a subject") }
    }

    func run() async throws {
        let registry = try registry(of: App.self)
        let found: RegisteredSchema
        if let id {
            found = try await registry.schema(.number(id), type: type.type).schema
        } else if let version {
            found = try await registry.schema(version: version, of: subject ?? "")
        } else {
            found = try await registry.latestSchema(of: subject ?? "")
        }
        let schema = found.schema
        guard json else {
            let document = try? JSON(parsing: Array(schema.text.utf8))
            return print(document?.indentedText ?? schema.text)
        }
        var report: JSON.Object = ["id": .integer(Int64(found.id)), "type": .string(schema.type.rawValue)]
        report["subject"] = found.subject.map(JSON.string)
        report["version"] = found.version.map { .integer(Int64($0)) }
        report["guid"] = found.guid.map { .string($0.uuidString.lowercased()) }
        report["schema"] = .string(schema.text)
        report["references"] = .array(
            schema.references.map {
                ["name": .string($0.name), "subject": .string($0.subject), "version": .integer(Int64($0.version))]
            }
        )
        print(JSON.object(report).text)
    }
}

/// A file with a schema, and the subject that it is for.
struct SubjectOptions: ParsableArguments {
    @Argument(help: "The file with the schema.") var file: String
    @Option(help: ArgumentHelp("The subject, such as TOPIC-value.", valueName: "subject")) var subject: String
    @Option(help: "The schema's language; of .avsc it is avro, of .json json, of .proto protobuf.") var type:
        SchemaLanguage?
    @Option(
        help: ArgumentHelp(
            "A schema that the file names, NAME=SUBJECT:VERSION; may be repeated.",
            valueName: "reference"
        )
    )
    var reference: [ReferenceArgument] = []

    /// The schema in the file.
    func schema() throws -> RegistrySchema {
        let text = String(decoding: try fileContents(file), as: UTF8.self)
        let known: SchemaLanguage? =
            switch file.split(separator: ".").last {
            case "avsc": .avro
            case "json": .json
            case "proto": .protobuf
            default: nil
            }
        guard let type = type ?? known else {
            throw ValidationError("say with --type which language \(file) is in")
        }
        // An Avro schema is looked at here, where an error can say the place.
        if type == .avro, reference.isEmpty { return RegistrySchema(try AvroSchema(parsing: text, .lenient)) }
        return RegistrySchema(type.type, text, references: reference.map(\.reference))
    }
}

struct SchemasCheckCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check",
            abstract: "Asks the registry whether a schema may become the next version of a subject.",
            discussion: "It prints a line for each thing in the way, and ends with 1 if there is one."
        )
    }

    @OptionGroup var options: SubjectOptions

    func run() async throws {
        let registry = try registry(of: App.self)
        let faults = try await registry.incompatibilities(of: options.schema(), with: options.subject)
        guard !faults.isEmpty else { return print("\(options.file) is compatible with \(options.subject)") }
        for fault in faults { print(fault) }
        throw ExitCode.failure
    }
}

struct SchemasPushCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "push",
            abstract: "Registers a schema, as a deployment does; safe to repeat."
        )
    }

    @OptionGroup var options: SubjectOptions

    func run() async throws {
        let registry = try registry(of: App.self)
        let schema = try options.schema()
        _ = try await registry.register(schema, under: options.subject)
        // Old registries don't say the version when a schema is registered.
        let found = try await registry.find(schema, under: options.subject)
        let version = found.version.map { "version \($0), " } ?? ""
        print("\(options.subject): \(version)id \(found.id)")
    }
}

extension AsyncParsableCommand {
    /// The registry that the application's settings name.
    fileprivate func registry<App: DionysusApplication>(of app: App.Type) throws -> SchemaRegistryClient {
        let settings = try ResolvedSettings.resolve(of: App()).values.schemaRegistry
        guard !settings.urls.isEmpty else {
            throw DionysusError(
                .configuration,
                "there is no schema registry",
                advice: "set DIONYSUS_SCHEMA_REGISTRY_URL to its address"
            )
        }
        return try connectRegistry(settings)
    }
}

/// A schema's language, as it is written in a command.
enum SchemaLanguage: String, ExpressibleByArgument, CaseIterable {
    case avro, json, protobuf

    var type: SchemaType {
        switch self {
        case .avro: .avro
        case .json: .json
        case .protobuf: .protobuf
        }
    }
}

/// A reference, as it is written in a command: `NAME=SUBJECT:VERSION`.
struct ReferenceArgument: ExpressibleByArgument {
    let reference: SchemaReference

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let version = Int(argument[argument.index(after: colon)...]),
            let mark = argument[..<colon].firstIndex(of: "=")
        else { return nil }
        reference = SchemaReference(
            name: String(argument[..<mark]),
            subject: String(argument[argument.index(after: mark)..<colon]),
            version: version
        )
    }
}
