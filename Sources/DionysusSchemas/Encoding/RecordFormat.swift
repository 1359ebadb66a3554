public import Dionysus

/// The format in which a topic's records or envelopes and their keys are written.
public struct RecordFormat: Sendable {
    package enum Language: Sendable {
        case json
        case jsonSchema
        case avro
        /// A format of the application's, such as compiled messages of Protobuf.
        case other(any JSONRecordFormat)

        /// The language of its schemas; nil for JSON without one.
        package var schemaType: SchemaType? {
            switch self {
            case .json: nil
            case .jsonSchema: .json
            case .avro: .avro
            case .other(let format): format.type
            }
        }
    }

    package let language: Language
    package let schema: RecordSchema
    package let key: RecordKeyFormat
    package let framing: SchemaFraming

    /// JSON without a schema, under the record's primary key.
    public static var json: RecordFormat { json(key: .plain) }

    /// JSON without a schema.
    /// - Parameter key: What the messages' keys are.
    /// - Returns: The format.
    public static func json(key: RecordKeyFormat) -> RecordFormat {
        RecordFormat(language: .json, schema: .derived, key: key, framing: .none)
    }

    /// JSON with a JSON Schema of the registry.
    /// - Parameters:
    ///   - schema: The schema; with one of the application's own, records are checked against it.
    ///   - key: What the messages' keys are.
    ///   - framing: What names the schema: the registry's id, or nothing.
    /// - Returns: The format.
    public static func jsonSchema(
        _ schema: RecordSchema = .derived,
        key: RecordKeyFormat = .plain,
        framing: SchemaFraming = .registry
    ) -> RecordFormat {
        RecordFormat(language: .jsonSchema, schema: schema, key: key, framing: framing)
    }

    /// Avro with a schema of the registry that is derived from the declaration, under the record's primary key.
    public static var avro: RecordFormat { avro(.derived) }

    /// Avro.
    /// - Parameters:
    ///   - schema: The schema. The consumer reads data of other versions as this one; if it is derived, as it was written.
    ///   - key: What the messages' keys are.
    ///   - framing: What names the schema.
    /// - Returns: The format.
    public static func avro(
        _ schema: RecordSchema = .derived,
        key: RecordKeyFormat = .plain,
        framing: SchemaFraming = .registry
    ) -> RecordFormat {
        RecordFormat(language: .avro, schema: schema, key: key, framing: framing)
    }

    /// A format for JSON values, such as `ProtobufFormat.json`.
    /// - Parameters:
    ///   - format: The format.
    ///   - key: What the messages' keys are.
    ///   - framing: What names the schema: the registry's id, or nothing.
    /// - Returns: The format.
    public static func format<Format: SchemaFormat>(
        _ format: Format,
        key: RecordKeyFormat = .plain,
        framing: SchemaFraming = .registry
    ) -> RecordFormat where Format.Value == JSON {
        RecordFormat(
            language: .other(ErasedRecordFormat(format: format)),
            schema: .derived,
            key: key,
            framing: framing
        )
    }

    /// Whether the data of envelopes are records, with links beside attributes; otherwise they are payloads as JSON has them.
    package var putsRecordsInEnvelopes: Bool {
        switch language {
        case .json, .jsonSchema: false
        case .avro, .other: true
        }
    }

    /// What a contract calls it.
    package var name: String {
        switch language {
        case .json: "json"
        case .jsonSchema: "json-schema"
        case .avro: "avro"
        case .other(let format): format.type.rawValue.lowercased()
        }
    }
}

/// What the keys of a topic's messages are.
public enum RecordKeyFormat: Sendable, Hashable {
    /// There are none; destroyed records have to be marked then.
    case none
    /// The primary key as text.
    case plain
    /// `MODEL:ID`, as in envelopes: for topics with several models.
    case message
    /// A record with one field, which is taken from the record: `.field("id")`, or a path of names with dots.
    ///
    /// Its schema is derived; it is called as the record's, with `_key` behind it.
    case field(String)
    /// A record by a schema of Avro, whose fields are taken from the record's attributes.
    case schema(RecordSchema)
}

/// What names the schema that a record was written with.
public enum SchemaFraming: Sendable, Hashable {
    /// The registry's id, before the data or in a header.
    case registry
    /// Nothing: readers have the schema.
    case bare
    /// The fingerprint before the data: Avro's single-object encoding.
    case singleObject
    /// The schema itself, before the data: Avro's object container file with one datum.
    case container
    /// There is no schema.
    case none
}
