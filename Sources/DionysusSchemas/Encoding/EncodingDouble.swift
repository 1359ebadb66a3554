import Dionysus

extension TopicEncoding {
    /// The same without a registry and without bytes: values are checked against their schemas, and written as JSON.
    ///
    /// For tests: a value that doesn't fit its Avro schema is refused, missing fields get their defaults and unknown ones are
    /// left out, as with the encoding itself; what is sent can be read by people. Values of a schema that is derived fit by
    /// construction and are not checked, nor are envelopes in Avro. Records of Protobuf stay as they are, without a registry. Keys by a schema are
    /// written as JSON. Both sides have to use it.
    public var validationOnly: TopicEncoding {
        doubled { format in
            switch format.language {
            case .json: .json
            case .jsonSchema:
                format.schema == .derived ? .json : .jsonSchema
            case .avro:
                holdsEnvelopes || format.schema == .derived
                    ? .json : .other(ErasedRecordFormat(format: ValidatedFormat(source: format.schema)))
            case .other: format.language
            }
        }
    }

    /// The same as JSON without schemas: a double for tests in which encodings don't matter.
    ///
    /// Whatever is published is written, and read as it is. Both sides have to use it.
    public var withoutSchemas: TopicEncoding { doubled { _ in .json } }

    private func doubled(_ language: (RecordFormat) -> RecordFormat.Language) -> TopicEncoding {
        guard let format else { return self }
        let language = language(format)
        // Only Avro's keys have schemas of their own.
        let key: RecordKeyFormat = if case .schema = format.key { .plain } else { format.key }
        let framing: SchemaFraming = if case .json = language { .none } else { .bare }
        let double = RecordFormat(language: language, schema: format.schema, key: key, framing: framing)
        guard case .record(_, let deletions) = shape else { return .envelope(double) }
        return .record(double, deletions: deletions)
    }
}

/// JSON that is checked against an Avro schema.
private struct ValidatedFormat: SchemaFormat {
    struct Checker: Sendable {
        let schema: AvroSchema
        let plan: AvroPlan
    }

    let source: RecordSchema

    var type: SchemaType { .avro }
    var schema: RegistrySchema? { nil }
    var recordName: String? { nil }

    func writer(of schema: ResolvedSchema) throws -> Checker? {
        try source.avro().map { Checker(schema: $0, plan: try AvroPlan(from: $0)) }
    }

    func encode(_ value: JSON, with writer: Checker?) throws -> [UInt8] {
        guard let writer else { return value.bytes }
        return try writer.plan.plainJSON(from: writer.schema.encode(coercing: writer.schema.completing(value))).bytes
    }

    func reader(of schema: ResolvedSchema, messageIndexes: [Int]?) {}

    func decode(_ data: ArraySlice<UInt8>, with reader: Void) throws -> JSON { try JSON(parsing: data) }
}
