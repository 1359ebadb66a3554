import Dionysus

package import struct Foundation.UUID

/// What language a schema is written in.
public enum SchemaType: String, Sendable, Hashable, CaseIterable {
    case avro = "AVRO"
    case json = "JSON"
    case protobuf = "PROTOBUF"
}

/// A schema as a registry keeps it: text, and which other schemas the text names.
public struct RegistrySchema: Sendable, Hashable {
    /// The text's language.
    public var type: SchemaType
    /// The schema.
    public var text: String
    /// Schemas of the registry that the text names.
    public var references: [SchemaReference]

    /// Creates a schema.
    /// - Parameters:
    ///   - type: The text's language.
    ///   - text: The schema.
    ///   - references: Schemas of the registry that the text names.
    public init(_ type: SchemaType, _ text: String, references: [SchemaReference] = []) {
        self.type = type
        self.text = text
        self.references = references
    }

    /// Creates a schema that stands alone, so that it needs no references.
    /// - Parameter schema: The schema.
    package init(_ schema: AvroSchema) { self.init(.avro, schema.document.text) }
}

/// A schema's name for another one of the registry.
public struct SchemaReference: Sendable, Hashable {
    /// What the text calls it: of Avro the type's whole name, of Protobuf the imported file, of JSON Schema the `$ref`.
    public var name: String
    /// The subject that it is registered under.
    public var subject: String
    /// Which of the subject's versions it is.
    public var version: Int

    /// Creates a reference.
    /// - Parameters:
    ///   - name: What the text calls it.
    ///   - subject: The subject that it is registered under.
    ///   - version: Which of the subject's versions it is.
    public init(name: String, subject: String, version: Int) {
        self.name = name
        self.subject = subject
        self.version = version
    }
}

/// A schema that a registry has.
public struct RegisteredSchema: Sendable, Hashable {
    /// The schema.
    public var schema: RegistrySchema
    /// Its number.
    public var id: UInt32
    /// Its GUID, if the registry is new enough to have one.
    package var guid: UUID?
    /// The subject, if it was asked for by one.
    package var subject: String?
    /// Which of the subject's versions it is.
    package var version: Int?

    /// Creates a schema of a registry.
    /// - Parameters:
    ///   - schema: The schema.
    ///   - id: Its number.
    ///   - guid: Its GUID.
    ///   - subject: The subject that it is registered under.
    ///   - version: Which of the subject's versions it is.
    package init(
        _ schema: RegistrySchema,
        id: UInt32,
        guid: UUID? = nil,
        subject: String? = nil,
        version: Int? = nil
    ) {
        self.schema = schema
        self.id = id
        self.guid = guid
        self.subject = subject
        self.version = version
    }
}

/// A schema of a registry with those that it names, theirs among them.
public struct ResolvedSchema: Sendable {
    /// The schema.
    public var schema: RegisteredSchema
    /// What is named, each before what names it.
    public var references: [(name: String, schema: RegistrySchema)]

    /// Creates a schema with those that it names.
    /// - Parameters:
    ///   - schema: The schema.
    ///   - references: What is named, each before what names it.
    package init(_ schema: RegisteredSchema, references: [(name: String, schema: RegistrySchema)] = []) {
        self.schema = schema
        self.references = references
    }
}

/// Which subject a schema is registered under.
public enum SubjectNameStrategy: String, Sendable, CaseIterable {
    /// `TOPIC-key` and `TOPIC-value`: a topic has one schema for each.
    case topic
    /// The record's whole name: a topic has records of several kinds, and a kind is the same in all topics.
    case record
    /// `TOPIC-RECORD`: a topic has records of several kinds of its own.
    case topicRecord = "topic-record"

    /// The subject's name.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - part: What has the schema.
    ///   - record: The record's whole name, if the schema has one.
    /// - Returns: The name.
    /// - Throws: `DionysusError` with code `declaration` if the schema has no name and one is needed.
    package func subject(topic: String, part: MessagePart, record: String?) throws -> String {
        if self == .topic { return "\(topic)-\(part.rawValue)" }
        guard let record, !record.isEmpty else {
            throw DionysusError(
                .declaration,
                "the schema of the \(part.rawValue)s of \(topic) has no name, which its subject's is made of",
                advice: "name it, or name subjects after topics"
            )
        }
        return self == .record ? record : "\(topic)-\(record)"
    }
}
