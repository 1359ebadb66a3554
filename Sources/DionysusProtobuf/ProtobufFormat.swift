public import Dionysus
public import DionysusSchemas
public import SwiftProtobuf

/// Compiled messages of Protobuf, for `SchemaSerde`.
///
///     let files = try ProtobufFiles(parsing: descriptorSet)
///     let schema = try await files.schema(of: Rental.protoMessageName, in: registry)
///     let serde = SchemaSerde(try ProtobufFormat.message(Rental.self, schema), registry: registry)
///
/// Data of other messages is refused. Fields that the compiled message doesn't know are kept in it.
public struct ProtobufFormat<Value>: SchemaFormat {
    private let encoding: @Sendable (Value) throws -> [UInt8]
    private let decoding: @Sendable (ArraySlice<UInt8>) throws -> Value
    private let name: String
    private let indexes: [Int]
    /// The schema as it is registered.
    public let schema: RegistrySchema?

    private init(
        _ name: String,
        _ schema: RegistrySchema?,
        _ indexes: [Int]?,
        encoding: @escaping @Sendable (Value) throws -> [UInt8],
        decoding: @escaping @Sendable (ArraySlice<UInt8>) throws -> Value
    ) throws {
        self.name = name
        self.schema = schema
        self.encoding = encoding
        self.decoding = decoding
        guard let schema else {
            self.indexes = indexes ?? [0]
            return
        }
        guard let found = indexes ?? ProtobufFile(base64: schema.text)?.messageIndexes(of: name) else {
            throw DionysusError(
                .declaration,
                "the schema of Protobuf has no message \(name), or its place isn't known",
                advice: "give the file's description, or the message's place with its text"
            )
        }
        self.indexes = found
    }

    /// How data of one schema is read.
    public struct Reader: Sendable {}
    /// What values are written with.
    public struct Writer: Sendable {
        let indexes: [Int]
    }

    public var type: SchemaType { .protobuf }
    public var recordName: String? { name }

    public func writer(of schema: ResolvedSchema) throws -> Writer {
        // Another version of the file can have the message elsewhere.
        Writer(indexes: ProtobufFile(base64: schema.schema.schema.text)?.messageIndexes(of: name) ?? indexes)
    }

    public func messageIndexes(of writer: Writer) -> [Int]? { writer.indexes }

    public func encode(_ value: Value, with writer: Writer) throws -> [UInt8] {
        do {
            return try encoding(value)
        } catch let error as DionysusError {
            throw error
        } catch {
            throw DionysusError(.malformed, "a value can't be written as \(name) of Protobuf", underlying: error)
        }
    }

    public func reader(of schema: ResolvedSchema, messageIndexes: [Int]?) throws -> Reader {
        // Registries that don't describe files have only their text, which has no reader here.
        guard let file = ProtobufFile(base64: schema.schema.schema.text) else { return Reader() }
        let written = file.messageName(at: messageIndexes ?? [0])
        guard written == name else {
            throw DionysusError(
                .declaration,
                "the data is \(written.map { "of the message \($0.printable())" } ?? "of a message that its schema doesn't have"), not \(name)"
            )
        }
        return Reader()
    }

    public func decode(_ data: ArraySlice<UInt8>, with reader: Reader) throws -> Value {
        do {
            return try decoding(data)
        } catch let error as DionysusError {
            throw error
        } catch {
            throw DionysusError(.malformed, "data can't be read as \(name) of Protobuf", underlying: error)
        }
    }
}

extension ProtobufFormat where Value: Message {
    /// Compiled messages.
    /// - Parameters:
    ///   - type: The message.
    ///   - schema: The schema of what is written; nil for whatever the registry has.
    ///   - indexes: The message's place in its file, if the schema is text.
    /// - Returns: The format.
    /// - Throws: `DionysusError` with code `declaration` if the schema doesn't have the message.
    public static func message(
        _ type: Value.Type,
        _ schema: RegistrySchema? = nil,
        indexes: [Int]? = nil
    ) throws -> ProtobufFormat {
        try ProtobufFormat(
            type.protoMessageName,
            schema,
            indexes,
            encoding: { try $0.serializedBytes() },
            decoding: { try type.init(serializedBytes: Array($0)) }
        )
    }
}

extension ProtobufFormat where Value == JSON {
    /// JSON, by the rules of Protobuf, with the names that fields have in the file; members that the message doesn't have are
    /// left out.
    /// - Parameters:
    ///   - type: The message.
    ///   - schema: The schema of what is written; nil for whatever the registry has.
    ///   - indexes: The message's place in its file, if the schema is text.
    /// - Returns: The format.
    /// - Throws: `DionysusError` with code `declaration` if the schema doesn't have the message.
    public static func json<M: Message>(
        _ type: M.Type,
        _ schema: RegistrySchema? = nil,
        indexes: [Int]? = nil
    ) throws -> ProtobufFormat {
        try ProtobufFormat(
            type.protoMessageName,
            schema,
            indexes,
            encoding: { value in
                var options = JSONDecodingOptions()
                options.ignoreUnknownFields = true
                return try type.init(jsonUTF8Bytes: value.bytes, options: options).serializedBytes()
            },
            decoding: { data in
                var options = JSONEncodingOptions()
                options.preserveProtoFieldNames = true
                let message = try type.init(serializedBytes: Array(data))
                return try JSON(parsing: message.jsonUTF8Bytes(options: options) as [UInt8])
            }
        )
    }
}
