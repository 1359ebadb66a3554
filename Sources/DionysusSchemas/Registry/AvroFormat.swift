public import Dionysus

/// Values in Avro's binary encoding, for ``SchemaSerde``.
///
/// What was written with another version of the schema is read as this one.
public struct AvroFormat<Value>: SchemaFormat {
    private let encoding: @Sendable (Value, AvroSchema) throws -> [UInt8]
    private let decoding: @Sendable (ArraySlice<UInt8>, AvroPlan) throws -> Value
    /// The schema of what is written and read; nil for whatever the registry has.
    package let avroSchema: AvroSchema?
    /// The schema as it is registered.
    public let schema: RegistrySchema?

    private init(
        _ schema: AvroSchema?,
        encoding: @escaping @Sendable (Value, AvroSchema) throws -> [UInt8],
        decoding: @escaping @Sendable (ArraySlice<UInt8>, AvroPlan) throws -> Value
    ) {
        avroSchema = schema
        self.schema = schema.map { RegistrySchema($0) }
        self.encoding = encoding
        self.decoding = decoding
    }

    public var type: SchemaType { .avro }
    public var recordName: String? { avroSchema?.name }

    public func writer(of schema: ResolvedSchema) throws -> AvroSchema {
        // The registry gives back another text for the same schema, at most.
        if let avroSchema, schema.schema.schema == self.schema { return avroSchema }
        return try AvroSchema(schema)
    }

    public func encode(_ value: Value, with writer: AvroSchema) throws -> [UInt8] { try encoding(value, writer) }

    public func reader(of schema: ResolvedSchema, messageIndexes: [Int]?) throws -> AvroPlan {
        try AvroPlan(from: AvroSchema(schema), to: avroSchema)
    }

    public func decode(_ data: ArraySlice<UInt8>, with reader: AvroPlan) throws -> Value {
        try decoding(data, reader)
    }
}

extension AvroFormat where Value == AvroValue {
    /// Values of any schema.
    /// - Parameter schema: The schema of what is written and read; nil for whatever the registry has.
    /// - Returns: The format.
    public static func values(_ schema: AvroSchema? = nil) -> AvroFormat {
        AvroFormat(schema, encoding: { try $1.encode($0) }, decoding: { try $1.value(from: $0) })
    }
}

extension AvroFormat where Value == JSON {
    /// JSON of any origin, taken for what the schema has; read as plain JSON.
    /// - Parameter schema: The schema of what is written and read; nil for whatever the registry has.
    /// - Returns: The format.
    public static func json(_ schema: AvroSchema? = nil) -> AvroFormat {
        AvroFormat(schema, encoding: { try $1.encode(coercing: $0) }, decoding: { try $1.plainJSON(from: $0) })
    }
}

extension AvroFormat where Value: Codable & SendableMetatype {
    /// A Swift type.
    /// - Parameters:
    ///   - type: The type.
    ///   - schema: The schema of what is written and read; nil for whatever the registry has.
    /// - Returns: The format.
    public static func codable(_ type: Value.Type, _ schema: AvroSchema? = nil) -> AvroFormat {
        AvroFormat(
            schema,
            encoding: { try AvroEncoder(schema: $1).encode($0) },
            decoding: { try AvroDecoder(Value.self, plan: $1).decode($0) }
        )
    }
}

extension AvroSchema {
    /// Reads a schema of a registry; those of others are read leniently.
    /// - Parameter schema: The schema, with those that it names.
    /// - Throws: `DionysusError` with code `malformed` and the place.
    package init(_ schema: ResolvedSchema) throws {
        var schemas = AvroSchemas()
        for reference in schema.references where reference.schema.type == .avro {
            try schemas.add(reference.schema.text)
        }
        try self.init(parsing: schema.schema.schema.text, .lenient, with: schemas)
    }
}
