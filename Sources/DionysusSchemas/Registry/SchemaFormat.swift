public import Dionysus

/// Turns values into data of a schema and back: Avro, Protobuf or JSON Schema, without what names the schema.
///
/// ``SchemaSerde`` adds that, and asks a registry.
public protocol SchemaFormat: Sendable {
    /// What is written and read.
    associatedtype Value
    /// What values are written with, made once for a schema.
    associatedtype Writer: Sendable
    /// How data of one schema is read, made once for it.
    associatedtype Reader: Sendable

    /// The language of its schemas.
    var type: SchemaType { get }
    /// The schema that values are written with; nil if only a registry has one.
    var schema: RegistrySchema? { get }
    /// The whole name of the record that values are, for the names of subjects.
    var recordName: String? { get }

    /// Makes what values are written with.
    /// - Parameter schema: The schema, as the registry has it.
    /// - Returns: The writer.
    /// - Throws: `DionysusError` for a schema that can't be used.
    func writer(of schema: ResolvedSchema) throws -> Writer
    /// The message's place in its file.
    /// - Parameter writer: What values are written with.
    /// - Returns: The place; nil for languages other than Protobuf.
    func messageIndexes(of writer: Writer) -> [Int]?
    /// Writes a value.
    /// - Parameters:
    ///   - value: The value.
    ///   - writer: What it is written with.
    /// - Returns: The data.
    /// - Throws: `DionysusError` with code `malformed` for a value that doesn't fit the schema.
    func encode(_ value: Value, with writer: Writer) throws -> [UInt8]
    /// Compares the schema that data was written with and the one that is wanted.
    /// - Parameters:
    ///   - schema: The schema that data was written with.
    ///   - messageIndexes: The message's place in its file, of Protobuf alone.
    /// - Returns: How such data is read.
    /// - Throws: `DionysusError` with code `declaration` and what is in the way.
    func reader(of schema: ResolvedSchema, messageIndexes: [Int]?) throws -> Reader
    /// Reads a value.
    /// - Parameters:
    ///   - data: The data.
    ///   - reader: How it is read.
    /// - Returns: The value.
    /// - Throws: `DionysusError` with code `malformed` for data that isn't the schema's.
    func decode(_ data: ArraySlice<UInt8>, with reader: Reader) throws -> Value
}

extension SchemaFormat {
    public func messageIndexes(of writer: Writer) -> [Int]? { nil }
}

/// Data with what names its schema.
public struct FramedData: Sendable, Hashable {
    /// A message's key or value.
    public var bytes: [UInt8]
    /// The header that names the schema, if nothing before the data does.
    public var header: MessageHeader?
}

/// Writes and reads keys or values of messages in Confluent's wire format, with schemas of a registry.
///
///     let serde = SchemaSerde(.codable(Rental.self, schema), registry: registry)
///     let data = try await serde.serialize(rental, topic: "rentals")
///     let copy = try await serde.deserialize(data.bytes)
///
/// The registry is asked before the first value of a schema is written or read. Who writes many has ``prepared(for:)`` once,
/// and then writes without waiting.
public final class SchemaSerde<Format: SchemaFormat>: Sendable {
    /// The format.
    package let format: Format
    /// The registry.
    package let registry: SchemaRegistryClient
    /// Whether it is for keys or values.
    package let part: MessagePart
    /// How the place of a message in its file of Protobuf is read.
    package let messageIndexForm: MessageIndexes.Form
    private let writers: SchemaCache<WriterKey, Prepared>
    private let readers: SchemaCache<SchemaFrame, Format.Reader>

    /// Creates a serde.
    /// - Parameters:
    ///   - format: The format.
    ///   - registry: The registry.
    ///   - part: Whether it is for keys or values.
    ///   - messageIndexForm: How the place of a message in its file of Protobuf is read.
    public init(
        _ format: Format,
        registry: SchemaRegistryClient,
        part: MessagePart = .value,
        messageIndexForm: MessageIndexes.Form = .zigzag
    ) {
        self.format = format
        self.registry = registry
        self.part = part
        self.messageIndexForm = messageIndexForm
        writers = SchemaCache(capacity: registry.settings.cacheCapacity)
        readers = SchemaCache(capacity: registry.settings.cacheCapacity)
    }

    /// A schema, which several subjects may have.
    private struct WriterKey: Hashable {
        let subject: String
        let id: UInt32
    }

    /// All that is needed to write values without asking the registry.
    public struct Prepared: Sendable {
        /// The schema, as the registry has it.
        package let schema: RegisteredSchema
        /// What names it.
        package let frame: SchemaFrame
        /// What values are written with.
        package let writer: Format.Writer
        /// The header that names the schema, if nothing before the data does.
        public let header: MessageHeader?
        let format: Format

        /// Writes a value.
        /// - Parameter value: The value.
        /// - Returns: The data, behind what names the schema.
        /// - Throws: `DionysusError` with code `malformed` for a value that doesn't fit the schema.
        public func encode(_ value: Format.Value) throws -> [UInt8] {
            try frame.prefix + format.encode(value, with: writer)
        }
    }

    /// Gets ready to write values of a topic: finds or registers the schema, as the registry's settings say.
    /// - Parameter topic: The topic's full name.
    /// - Returns: What values are written with.
    /// - Throws: `DionysusError`: see ``SchemaRegistryClient``.
    public func prepared(for topic: String) async throws -> Prepared {
        let settings = registry.settings
        let subject = try settings.subjects.subject(topic: topic, part: part, record: format.recordName)
        let schema = try await registry.writersSchema(format.schema, of: subject)
        return try await writers.value(WriterKey(subject: subject, id: schema.id)) { [self] in
            guard schema.schema.type == format.type else {
                throw DionysusError(
                    .declaration,
                    "\(subject.printable()) has a schema of \(schema.schema.type.rawValue), not of \(format.type.rawValue)"
                )
            }
            let writer = try await format.writer(of: registry.resolve(schema))
            let frame = SchemaFrame(try await id(of: schema), messageIndexes: format.messageIndexes(of: writer))
            return Prepared(
                schema: schema,
                frame: frame,
                writer: writer,
                header: frame.header(for: part),
                format: format
            )
        }
    }

    private func id(of schema: RegisteredSchema) async throws -> SchemaID {
        guard registry.settings.idPlacement == .header else { return .number(schema.id) }
        // Not every answer has it.
        let known =
            if let guid = schema.guid { guid } else {
                try await registry.schema(.number(schema.id), type: format.type).schema.guid
            }
        guard let known else {
            throw DionysusError(
                .configuration,
                "the schema registry gives schemas no GUIDs, by which a header could name them",
                advice: "have ids stand before the data, or use a newer registry"
            )
        }
        return .guid(known)
    }

    /// Writes a value.
    /// - Parameters:
    ///   - value: The value.
    ///   - topic: The topic's full name.
    /// - Returns: The data with what names its schema.
    /// - Throws: `DionysusError`: see ``SchemaRegistryClient``; with code `malformed` for a value that doesn't fit.
    public func serialize(_ value: Format.Value, topic: String) async throws -> FramedData {
        let prepared = try await prepared(for: topic)
        return FramedData(bytes: try prepared.encode(value), header: prepared.header)
    }

    /// Finds out how data is read.
    /// - Parameter frame: What names its schema.
    /// - Returns: The reader.
    /// - Throws: `DionysusError`: see ``SchemaRegistryClient``; with code `declaration` if the schemas don't fit each other.
    package func reader(of frame: SchemaFrame) async throws -> Format.Reader {
        try await readers.value(frame) { [self] in
            let schema = try await registry.schema(frame.id, type: format.type)
            return try format.reader(of: schema, messageIndexes: frame.messageIndexes)
        }
    }

    /// How data is read, if data of that schema has been read before.
    /// - Parameter frame: What names its schema.
    /// - Returns: The reader, or nil.
    package func knownReader(of frame: SchemaFrame) -> Format.Reader? { readers[frame] }

    /// Finds out which schema data was written with.
    /// - Parameters:
    ///   - bytes: A message's key or value.
    ///   - headers: The message's headers.
    /// - Returns: What names the schema, and the data.
    /// - Throws: `DionysusError` with code `malformed` for data that names no schema.
    package func parse(
        _ bytes: [UInt8],
        headers: [MessageHeader] = []
    ) throws -> (frame: SchemaFrame, data: ArraySlice<UInt8>) {
        try SchemaFrame.parse(bytes, headers: headers, part: part, type: format.type, indexes: messageIndexForm)
    }

    /// Reads a value.
    /// - Parameters:
    ///   - bytes: A message's key or value.
    ///   - headers: The message's headers.
    /// - Returns: The value.
    /// - Throws: `DionysusError`: see ``SchemaRegistryClient``; with code `malformed` for data that isn't what it should be.
    public func deserialize(_ bytes: [UInt8], headers: [MessageHeader] = []) async throws -> Format.Value {
        let (frame, data) = try parse(bytes, headers: headers)
        return try await format.decode(data, with: reader(of: frame))
    }
}
