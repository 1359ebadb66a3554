public import Dionysus

/// A schema of Avro: what data in Avro's encodings is made of.
///
///     let schema = try AvroSchema(parsing: """
///         {"type": "record", "name": "Rental", "namespace": "com.example",
///          "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"], "default": null}]}
///         """)
///     schema.canonicalForm
///     try schema.encode(.record("com.example.Rental", ["id": .long(1), "name": .string("Loft")]))
///
/// A schema is a value without references to others: types that it names are part of it.
public struct AvroSchema: Sendable {
    /// How much a schema's text is held to.
    public enum Strictness: Sendable {
        /// For schemas of one's own: whatever another implementation may refuse is refused, such as a default that doesn't have
        /// the type of its field, and a logical type that doesn't fit.
        case strict
        /// For schemas of others: what does no harm to their data is taken, such as names with hyphens, and a default or a
        /// logical type that doesn't fit is left out of account.
        case lenient
    }

    /// All types, which refer to each other by their places in the list.
    package let types: [AvroType]
    /// The place of the type that a datum has.
    package let root: Int
    /// What values that need no conversion are written as, by the places of the types.
    let scalars: [AvroScalar]

    init(types: [AvroType], root: Int) {
        self.types = types
        self.root = root
        scalars = types.map { AvroScalar($0, in: types) }
    }

    /// Reads a schema.
    /// - Parameters:
    ///   - text: The schema as JSON, or the bare name of a primitive type.
    ///   - strictness: How much the text is held to.
    ///   - schemas: Where types are found that the schema names and doesn't define.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the place in the document.
    public init(parsing text: String, _ strictness: Strictness = .strict, with schemas: AvroSchemas? = nil) throws {
        let document: JSON
        if AvroType.Kind(primitive: text) != nil {
            document = .string(text)
        } else {
            document = try JSON(parsing: Array(text.utf8))
        }
        try self.init(document, strictness, with: schemas)
    }

    /// Reads a schema.
    /// - Parameters:
    ///   - document: The schema.
    ///   - strictness: How much the text is held to.
    ///   - schemas: Where types are found that the schema names and doesn't define.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the place in the document.
    public init(_ document: JSON, _ strictness: Strictness = .strict, with schemas: AvroSchemas? = nil) throws {
        var parser = SchemaParser(strictness: strictness, schemas: schemas)
        let root = try parser.parse(document)
        self.init(types: parser.types, root: root)
    }

    /// The name with its namespace, if the schema is a record, an enumeration or a fixed.
    public var name: String? { types[root].name }

    /// The schema of one of the types within this one.
    func schema(at type: Int) -> AvroSchema { AvroSchema(types: types, root: type) }
}

extension AvroSchema: Hashable {
    /// Schemas are equal when their documents are, documentation and all.
    public static func == (lhs: AvroSchema, rhs: AvroSchema) -> Bool { lhs.document == rhs.document }
    public func hash(into hasher: inout Hasher) { hasher.combine(document) }
}

extension AvroSchema: CustomStringConvertible {
    /// The schema as JSON.
    public var description: String { document.text }
}
