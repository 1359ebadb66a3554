import Dionysus
import DionysusSchemas

/// A registry's schema for keys or values, in any format.
enum ValueSerde: Sendable {
    case avro(SchemaSerde<AvroFormat<AvroValue>>)
    case json(any JSONRecordSerde)

    /// Finds or registers the schema for a topic.
    func prepare(for topic: String) async throws -> PreparedSchema {
        switch self {
        case .avro(let serde):
            let prepared = try await serde.prepared(for: topic)
            return PreparedSchema(
                schema: prepared.schema,
                prefix: prepared.frame.prefix,
                idHeaders: prepared.header.map { [$0] } ?? [],
                avro: prepared.writer,
                encode: nil
            )
        case .json(let serde):
            let prepared = try await serde.prepare(for: topic)
            return PreparedSchema(
                schema: prepared.schema,
                prefix: prepared.prefix,
                idHeaders: prepared.header.map { [$0] } ?? [],
                avro: nil,
                encode: prepared.encode
            )
        }
    }
}

/// A schema as the registry has it, and how data names it.
struct PreparedSchema: Sendable {
    let schema: RegisteredSchema
    let prefix: [UInt8]
    /// The header that names the schema, if nothing before the data does.
    let idHeaders: [MessageHeader]
    /// The schema, if it is one of Avro.
    let avro: AvroSchema?
    /// Writes a value, if it isn't Avro.
    let encode: (@Sendable (JSON) throws -> [UInt8])?

    /// The headers of messages, which name the schema for readers and for people.
    var headers: [MessageHeader] {
        guard let subject = schema.subject else { return idHeaders }
        let name = schema.version.map { "\(subject):\($0)" } ?? subject
        return idHeaders + [MessageHeader(HeaderName.schema, Array(name.utf8))]
    }
}

/// Formats of JSON with a JSON Schema.
enum JSONRecordFormats {
    static func serde(
        _ schema: RegistrySchema,
        _ registry: SchemaRegistryClient,
        _ part: MessagePart
    ) throws -> any JSONRecordSerde {
        SchemaSerde(try JSONSchemaFormat<JSON>.json(schema), registry: registry, part: part)
    }

    /// What checks values against a schema without a registry.
    static func writer(_ schema: RegistrySchema) throws -> @Sendable (JSON) throws -> [UInt8] {
        let format = try JSONSchemaFormat<JSON>.json(schema)
        let writer = try format.writer(of: ResolvedSchema(RegisteredSchema(schema, id: 0)))
        return { try format.encode($0, with: writer) }
    }
}
