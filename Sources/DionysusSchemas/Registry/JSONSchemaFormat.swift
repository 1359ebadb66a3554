public import Dionysus

/// Values as JSON that a JSON Schema describes, for ``SchemaSerde``.
///
/// What is written is checked against the schema, and so is what is read if it is asked for.
public struct JSONSchemaFormat<Value>: SchemaFormat {
    private let encoding: @Sendable (Value) throws -> JSON
    private let decoding: @Sendable (JSON) throws -> Value
    private let document: JSON?
    private let checksRead: Bool
    /// The schema as it is registered.
    public let schema: RegistrySchema?

    private init(
        _ schema: RegistrySchema?,
        checksRead: Bool,
        encoding: @escaping @Sendable (Value) throws -> JSON,
        decoding: @escaping @Sendable (JSON) throws -> Value
    ) throws {
        self.schema = schema
        self.checksRead = checksRead
        self.encoding = encoding
        self.decoding = decoding
        document = try schema.map { schema in
            guard schema.type == .json, let document = try? JSON(parsing: Array(schema.text.utf8)) else {
                throw DionysusError(.malformed, "what should be a JSON Schema is none")
            }
            return document
        }
    }

    public var type: SchemaType { .json }
    /// The schema's title.
    public var recordName: String? { document?.text("title") }

    public func writer(of schema: ResolvedSchema) throws -> JSONSchema { try JSONSchema(schema) }

    public func encode(_ value: Value, with writer: JSONSchema) throws -> [UInt8] {
        let json = try encoding(value)
        try writer.check(json)
        return json.bytes
    }

    /// The schema that data was written with, if it is to be checked against that.
    public func reader(of schema: ResolvedSchema, messageIndexes: [Int]?) throws -> JSONSchema? {
        checksRead ? try JSONSchema(schema) : nil
    }

    public func decode(_ data: ArraySlice<UInt8>, with reader: JSONSchema?) throws -> Value {
        let json = try JSON(parsing: data)
        try reader?.check(json)
        return try decoding(json)
    }
}

extension JSONSchemaFormat where Value == JSON {
    /// JSON.
    /// - Parameters:
    ///   - schema: The schema of what is written; nil for whatever the registry has.
    ///   - checksRead: Whether what is read is checked against the schema that it was written with.
    /// - Returns: The format.
    /// - Throws: `DionysusError` with code `malformed` for what is no schema.
    public static func json(_ schema: RegistrySchema? = nil, checksRead: Bool = false) throws -> JSONSchemaFormat {
        try JSONSchemaFormat(schema, checksRead: checksRead, encoding: { $0 }, decoding: { $0 })
    }
}

extension JSONSchemaFormat where Value: Codable & SendableMetatype {
    /// A Swift type; times are ISO 8601, and a property that is nil is null.
    /// - Parameters:
    ///   - type: The type.
    ///   - schema: The schema of what is written; nil for whatever the registry has.
    ///   - checksRead: Whether what is read is checked against the schema that it was written with.
    /// - Returns: The format.
    /// - Throws: `DionysusError` with code `malformed` for what is no schema.
    public static func codable(
        _ type: Value.Type,
        _ schema: RegistrySchema? = nil,
        checksRead: Bool = false
    ) throws -> JSONSchemaFormat {
        try JSONSchemaFormat(
            schema,
            checksRead: checksRead,
            encoding: { try JSONTreeEncoder().encode(record: $0) },
            decoding: { try Value(from: JSONTreeDecoder(value: $0, path: "the value")) }
        )
    }
}
