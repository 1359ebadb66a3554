package import Dionysus

/// A format whose values are JSON, without its type.
package protocol JSONRecordFormat: Sendable {
    /// The language of its schemas.
    var type: SchemaType { get }

    /// A serde for a registry.
    /// - Parameters:
    ///   - registry: The registry.
    ///   - part: Whether it is for keys or values.
    /// - Returns: The serde.
    func serde(_ registry: SchemaRegistryClient, _ part: MessagePart) -> any JSONRecordSerde

    /// How values are written without a registry.
    /// - Returns: What writes a value.
    func bareWriter() throws -> @Sendable (JSON) throws -> [UInt8]

    /// How values are read without a registry.
    /// - Returns: What reads a value.
    func bareReader() throws -> @Sendable (ArraySlice<UInt8>) throws -> JSON
}

/// A serde of JSON values, without its type.
package protocol JSONRecordSerde: Sendable {
    /// Gets ready to write values of a topic.
    /// - Parameter topic: The topic's full name.
    /// - Returns: What values are written with.
    func prepare(for topic: String) async throws -> PreparedJSONWriter

    /// What names the schema of data, and the data.
    /// - Parameters:
    ///   - bytes: A message's key or value.
    ///   - headers: The message's headers.
    /// - Returns: The frame and the data.
    func split(_ bytes: [UInt8], _ headers: [MessageHeader]) throws -> (frame: SchemaFrame, data: ArraySlice<UInt8>)

    /// How data of a schema is read, if it is known.
    /// - Parameter frame: What names the schema.
    /// - Returns: The reader, or nil.
    func known(_ frame: SchemaFrame) -> (@Sendable (ArraySlice<UInt8>) throws -> JSON)?

    /// Finds out how data of a schema is read.
    /// - Parameter frame: What names the schema.
    func learn(_ frame: SchemaFrame) async throws
}

/// All that is needed to write values without asking the registry.
package struct PreparedJSONWriter: Sendable {
    /// The schema, as the registry has it.
    package let schema: RegisteredSchema
    /// What stands before the data.
    package let prefix: [UInt8]
    /// The header that names the schema, if nothing before the data does.
    package let header: MessageHeader?
    /// Writes a value, without what stands before it.
    package let encode: @Sendable (JSON) throws -> [UInt8]
}

struct ErasedRecordFormat<Format: SchemaFormat>: JSONRecordFormat where Format.Value == JSON {
    let format: Format

    var type: SchemaType { format.type }

    func serde(_ registry: SchemaRegistryClient, _ part: MessagePart) -> any JSONRecordSerde {
        SchemaSerde(format, registry: registry, part: part)
    }

    private var resolved: ResolvedSchema {
        // Without a registry, a format that has no schema of its own has none at all.
        ResolvedSchema(RegisteredSchema(format.schema ?? RegistrySchema(format.type, ""), id: 0))
    }

    func bareWriter() throws -> @Sendable (JSON) throws -> [UInt8] {
        let writer = try format.writer(of: resolved)
        return { [format] in try format.encode($0, with: writer) }
    }

    func bareReader() throws -> @Sendable (ArraySlice<UInt8>) throws -> JSON {
        let resolved = resolved
        let indexes = try format.messageIndexes(of: format.writer(of: resolved))
        let reader = try format.reader(of: resolved, messageIndexes: indexes)
        return { [format] in try format.decode($0, with: reader) }
    }
}

extension SchemaSerde: JSONRecordSerde where Format.Value == JSON {
    package func prepare(for topic: String) async throws -> PreparedJSONWriter {
        let prepared = try await prepared(for: topic)
        return PreparedJSONWriter(
            schema: prepared.schema,
            prefix: prepared.frame.prefix,
            header: prepared.header,
            encode: { [format] in try format.encode($0, with: prepared.writer) }
        )
    }

    package func split(
        _ bytes: [UInt8],
        _ headers: [MessageHeader]
    ) throws -> (frame: SchemaFrame, data: ArraySlice<UInt8>) { try parse(bytes, headers: headers) }

    package func known(_ frame: SchemaFrame) -> (@Sendable (ArraySlice<UInt8>) throws -> JSON)? {
        guard let reader = knownReader(of: frame) else { return nil }
        return { [format] in try format.decode($0, with: reader) }
    }

    package func learn(_ frame: SchemaFrame) async throws { _ = try await reader(of: frame) }
}
