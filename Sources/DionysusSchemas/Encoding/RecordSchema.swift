/// Where the schema of a topic's records comes from.
public struct RecordSchema: Sendable, Hashable {
    package enum Origin: Sendable, Hashable {
        case derived
        case text(String)
        case named(String, folder: String)
    }

    package let origin: Origin

    /// It is derived from what is published: on the producer's side from its declaration.
    public static let derived = RecordSchema(origin: .derived)

    /// A schema as text.
    /// - Parameter text: The schema: Avro, or JSON Schema.
    /// - Returns: The source.
    public static func text(_ text: String) -> RecordSchema { RecordSchema(origin: .text(text)) }

    /// An Avro schema of a folder, where `com.example.Rental` is `com/example/Rental.avsc`.
    /// - Parameters:
    ///   - name: The name with its namespace.
    ///   - folder: The folder.
    /// - Returns: The source.
    public static func named(_ name: String, in folder: String) -> RecordSchema {
        RecordSchema(origin: .named(name, folder: folder))
    }

    /// The Avro schema; nil if it is to be derived.
    /// - Throws: `DionysusError` with code `malformed` or `notFound` for what is no schema.
    package func avro() throws -> AvroSchema? {
        switch origin {
        case .derived: nil
        case .text(let text): try AvroSchema(parsing: text)
        case .named(let name, let folder): try AvroSchemas(folder: folder).schema(named: name)
        }
    }
}

extension RecordSchema {
    /// The schema, if an encoding can be read with it.
    /// - Parameter encoding: The topic's encoding.
    /// - Throws: `DionysusError` for what is no schema, for a missing one, and for one of another shape.
    package func checked(_ encoding: TopicEncoding) throws {
        guard let format = encoding.format, case .avro = format.language, let schema = try avro() else { return }
        if encoding.holdsEnvelopes { _ = try schema.requiredEnvelope }
    }
}
