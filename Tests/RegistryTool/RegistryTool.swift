import Dionysus
import DionysusProtobuf
import DionysusRegistry
import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import ProtobufExamples

/// Serves an in-memory registry over HTTP, and writes and reads data on command.
///
/// Each input line is a command in JSON. The first line of its output is the registry's address.
@main
struct RegistryTool {
    static func main() async throws {
        let server = try await SchemaRegistryServer.start(InMemorySchemaRegistry())
        write(.string(server.url))
        while let line = readLine() {
            let command = try JSON(parsing: Array(line.utf8))
            var answer: JSON
            do {
                answer = try await run(command, server.settings)
            } catch {
                answer = ["error": .string("\(error)")]
            }
            write(answer)
        }
        try await server.stop()
    }

    /// Writes a line at once: who reads it waits for it.
    private static func write(_ answer: JSON) {
        FileHandle.standardOutput.write(Data((answer.text + "\n").utf8))
    }

    private static func run(_ command: JSON, _ base: SchemaRegistrySettings) async throws -> JSON {
        var settings = base
        settings.idPlacement = command.text("placement").flatMap(SchemaIDPlacement.init(rawValue:)) ?? .prefix
        settings.subjects = command.text("strategy").flatMap(SubjectNameStrategy.init(rawValue:)) ?? .topic
        settings.registration = command.text("registration").flatMap(SchemaRegistration.init(rawValue:)) ?? .atFirstUse
        let registry = try SchemaRegistryClient(settings)
        switch command.text("format") {
        case "avro":
            let schema = try command.text("schema").map { try AvroSchema(parsing: $0, .lenient) }
            return try await run(command, AvroFormat.json(schema), registry)
        case "json":
            let schema = command.text("schema").map { RegistrySchema(.json, $0) }
            return try await run(command, JSONSchemaFormat.json(schema, checksRead: true), registry)
        default:
            let files = try ProtobufExamples.files
            let schema = try await files.schema(of: Feed_V1_Rental.protoMessageName, in: registry)
            return try await run(command, ProtobufFormat.json(Feed_V1_Rental.self, schema), registry)
        }
    }

    private static func run<Format: SchemaFormat>(
        _ command: JSON,
        _ format: Format,
        _ registry: SchemaRegistryClient
    ) async throws -> JSON where Format.Value == JSON {
        let part = command.text("part").flatMap(MessagePart.init(rawValue:)) ?? .value
        let serde = SchemaSerde(format, registry: registry, part: part)
        guard let hex = command.text("bytes") else {
            let topic = command.text("topic") ?? ""
            let data = try await serde.serialize(command["value"] ?? .null, topic: topic)
            var answer: JSON.Object = ["bytes": .string(Self.hex(data.bytes))]
            if let header = data.header {
                answer["header"] = [.string(header.name), .string(Self.hex(header.value))]
            }
            return .object(answer)
        }
        var headers: [MessageHeader] = []
        if case .array(let header)? = command["header"], case .string(let name) = header[0],
            case .string(let value) = header[1]
        {
            headers = [MessageHeader(name, bytes(value))]
        }
        return ["value": try await serde.deserialize(bytes(hex), headers: headers)]
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
}

extension JSON {
    fileprivate func text(_ name: String) -> String? {
        if case .string(let text)? = self[name] { text } else { nil }
    }
}
