import Dionysus
import DionysusSchemas
import Synchronization

/// How records of one model, or events of them, are written to one topic: it asks the registry, and remembers what was made of
/// the answer.
final class RecordEncoder: Sendable {
    private enum Values {
        case json
        case jsonSchema(RegistrySchema, isOwn: Bool)
        case avro(AvroSchema)
        case other(any JSONRecordFormat)
    }

    private enum Keys {
        case schemaless(RecordKeyProgram.Form)
        case avro(AvroSchema, path: String?)
        case jsonSchema(RegistrySchema, RecordKeyProgram.Form)
    }

    /// What names a schema in messages.
    private struct Frame {
        var prefix: [UInt8] = []
        var headers: [MessageHeader] = []
    }

    private struct Prepared {
        let ids: [UInt32]
        let records: PreparedRecords
    }

    private let topic: String
    private let plan: LoadPlan
    private let marksDeletions: Bool
    /// Nil where messages hold one record each; whether an envelope's data are records otherwise.
    private let putsRecordsInEnvelopes: Bool?
    private let framing: SchemaFraming
    private let values: Values
    private let keys: Keys
    private let valueSerde: ValueSerde?
    private let keySerde: ValueSerde?
    private let language: SchemaType?
    private let registrySettings: SchemaRegistrySettings?
    private let last = Mutex<Prepared?>(nil)

    /// - Parameters:
    ///   - topic: The topic that messages go to, which is the genesis topic for those.
    ///   - publication: What is published.
    ///   - contract: What the whole application publishes.
    ///   - registry: The schema registry, if there is one.
    /// - Throws: ``DionysusError`` with code `declaration` or `configuration` for an encoding that the records can't have.
    init(
        _ topic: String,
        _ publication: Registry.Publication,
        _ plan: LoadPlan,
        _ format: RecordFormat,
        contract: Contract,
        registry: SchemaRegistryClient?
    ) throws {
        self.topic = topic
        self.plan = plan
        framing = format.framing
        marksDeletions = publication.encoding.marksDeletions
        putsRecordsInEnvelopes = publication.encoding.holdsEnvelopes ? format.putsRecordsInEnvelopes : nil
        let values = try Self.values(format, publication, contract)
        let keys = try Self.keys(format, values, plan, publication, contract)
        self.values = values
        self.keys = keys
        language = format.language.schemaType
        registrySettings = registry?.settings
        guard framing == .registry else {
            (valueSerde, keySerde) = (nil, nil)
            // What doesn't fit is found at the start, and not by the first record.
            if case .avro(let schema) = values { _ = try avroRecords(schema, RecordKeyProgram(form: .none)) }
            return
        }
        guard let registry else {
            throw DionysusError(
                .configuration,
                "topic \(topic) is written with schemas of a registry, and there is none",
                advice: "set DIONYSUS_SCHEMA_REGISTRY_URL, or let the encoding's framing be another"
            )
        }
        switch values {
        case .json: valueSerde = nil
        case .jsonSchema(let schema, _):
            valueSerde = .json(try JSONRecordFormats.serde(schema, registry, .value))
        case .avro(let schema):
            valueSerde = .avro(SchemaSerde(AvroFormat.values(schema), registry: registry))
        case .other(let format): valueSerde = .json(format.serde(registry, .value))
        }
        switch keys {
        case .schemaless: keySerde = nil
        case .avro(let schema, _):
            keySerde = .avro(SchemaSerde(AvroFormat.values(schema), registry: registry, part: .key))
        case .jsonSchema(let schema, _): keySerde = .json(try JSONRecordFormats.serde(schema, registry, .key))
        }
        if case .avro(let schema) = values, registry.settings.registration != .latest {
            _ = try avroRecords(schema, RecordKeyProgram(form: .none))
        }
    }

    // MARK: Preparing

    /// All that is needed to write records without waiting.
    ///
    /// The registry is asked once for each schema, and once in a while where the latest version is used.
    /// - Throws: ``DionysusError``, as the registry's client does.
    func prepared() async throws -> PreparedRecords {
        if framing != .registry, let known = last.withLock({ $0?.records }) { return known }
        let value = try await valueSerde?.prepare(for: topic)
        let key = try await keySerde?.prepare(for: topic)
        let ids = [value?.schema.id, key?.schema.id].compactMap(\.self)
        if let known = last.withLock({ $0 }), known.ids == ids { return known.records }
        let records = try records(value, key)
        last.withLock { $0 = Prepared(ids: ids, records: records) }
        return records
    }

    private func records(_ value: PreparedSchema?, _ key: PreparedSchema?) throws -> PreparedRecords {
        let keyProgram = try keyProgram(key)
        var records: PreparedRecords
        switch values {
        case .json: records = PreparedRecords(body: .json, key: keyProgram)
        case .jsonSchema(let schema, let isOwn):
            // What is derived from the declaration fits by construction.
            let body: PreparedRecords.Body =
                isOwn ? .converted(try value?.encode ?? JSONRecordFormats.writer(schema)) : .json
            records = PreparedRecords(body: body, key: keyProgram)
        case .avro(let own):
            let schema = value?.avro ?? own
            records = try avroRecords(schema, keyProgram)
            records.frame(schema, framing)
        case .other(let format):
            records = PreparedRecords(body: .converted(try value?.encode ?? format.bareWriter()), key: keyProgram)
        }
        if records.envelopes == nil {
            records.envelopes = putsRecordsInEnvelopes.map { $0 ? .records : .payloads }
        }
        if let value {
            records.prefix = value.prefix
            records.headers = value.headers
            records.schemaAddress = registrySettings?.address(ofSchema: value.schema.id)
        }
        records.contentType = TopicEncoding.contentType(language, isFramed: !records.prefix.isEmpty)
        records.headers += keyProgram.headers
        records.marksDeletions = marksDeletions
        return records
    }

    /// How an Avro schema is written.
    /// - Throws: ``DionysusError`` with code `declaration` for one that doesn't fit.
    private func avroRecords(_ schema: AvroSchema, _ key: RecordKeyProgram) throws -> PreparedRecords {
        guard putsRecordsInEnvelopes != nil else {
            return PreparedRecords(body: .avro(try AvroRecordProgram(plan, schema)), key: key)
        }
        let program = try AvroEnvelopeProgram(plan, schema)
        return PreparedRecords(body: .avro(program.record.program), envelopes: .avro(program), key: key)
    }

    private func keyProgram(_ key: PreparedSchema?) throws -> RecordKeyProgram {
        switch keys {
        case .schemaless(let form): return RecordKeyProgram(form: form)
        case .avro(let own, let path):
            let schema = key?.avro ?? own
            let form = try RecordKeyProgram.avro(schema, path: path, plan)
            return RecordKeyProgram(form: form, prefix: key?.prefix ?? [], headers: key?.idHeaders ?? [])
        case .jsonSchema(_, let form):
            return RecordKeyProgram(form: form, prefix: key?.prefix ?? [], headers: key?.idHeaders ?? [])
        }
    }

    // MARK: Schemas

    private static func values(
        _ format: RecordFormat,
        _ publication: Registry.Publication,
        _ contract: Contract
    ) throws -> Values {
        switch format.language {
        case .json: return .json
        case .other(let format): return .other(format)
        case .jsonSchema:
            if case .text(let text) = format.schema.origin {
                return .jsonSchema(RegistrySchema(.json, text), isOwn: true)
            }
            return .jsonSchema(try jsonSchema(publication, contract), isOwn: false)
        case .avro:
            if let schema = try format.schema.avro() { return .avro(schema) }
            let schema =
                publication.encoding.holdsEnvelopes
                ? try contract.envelopeSchema(of: publication.topic)
                : try contract.recordSchema(
                    of: publication.model.name,
                    in: publication.topic,
                    marksDeletions: publication.encoding.marksDeletions
                )
            guard let schema else {
                throw DionysusError(.declaration, "no Avro schema can be derived for topic \(publication.topic)")
            }
            return .avro(schema)
        }
    }

    private static func jsonSchema(
        _ publication: Registry.Publication,
        _ contract: Contract
    ) throws -> RegistrySchema {
        if publication.encoding.holdsEnvelopes, let schema = contract.envelopeJSONSchema(of: publication.topic) {
            return RegistrySchema(.json, schema.text)
        }
        let model = contract.topics.first { $0.name == publication.topic }?.models
            .first { $0.name == publication.model.name }
        guard let model else {
            throw DionysusError(.declaration, "no JSON Schema can be derived for topic \(publication.topic)")
        }
        var document: JSON.Object = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": .string("\(publication.namespace).\(model.name)"),
        ]
        document.members += model.recordSchema(marksDeletions: publication.encoding.marksDeletions).members
        return RegistrySchema(.json, JSON.object(document).text)
    }

    private static func keys(
        _ format: RecordFormat,
        _ values: Values,
        _ plan: LoadPlan,
        _ publication: Registry.Publication,
        _ contract: Contract
    ) throws -> Keys {
        switch (format.key, values) {
        case (.none, _): return .schemaless(.none)
        case (.plain, _): return .schemaless(.plain)
        case (.message, _): return .schemaless(.message)
        case (.field(let path), .avro(let schema)):
            let record =
                publication.encoding.holdsEnvelopes
                ? try schema.requiredEnvelope.recordSchema(of: publication.model.name) : schema
            let keySchema = try (record ?? schema).keySchema(field: path)
            _ = try RecordKeyProgram.avro(keySchema, path: path, plan)
            return .avro(keySchema, path: path)
        case (.schema(let schema), .avro):
            guard let schema = try schema.avro() else { fallthrough }
            _ = try RecordKeyProgram.avro(schema, path: nil, plan)
            return .avro(schema, path: nil)
        case (.schema, _):
            throw DionysusError(
                .declaration,
                "the keys of topic \(publication.topic) are to have a schema of their own, and its format has none for them",
                advice: "use a format of Avro and name a schema, or take keys from a field"
            )
        case (.field(let path), .json):
            return .schemaless(.json(try RecordKeyProgram.field(path, plan)))
        case (.field(let path), _):
            let field = try RecordKeyProgram.field(path, plan)
            guard format.framing == .registry else { return .schemaless(.json(field)) }
            let title = "\(publication.namespace).\(publication.model.name)_key"
            let schema: JSON = [
                "$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(title), "type": "object",
                "properties": .object(JSON.Object([.init(field.name, .object([:]))])),
                "required": [.string(field.name)],
            ]
            return .jsonSchema(RegistrySchema(.json, schema.text), .json(field))
        }
    }
}

extension PreparedRecords {
    /// Lets data say what their schema is, without a registry.
    fileprivate mutating func frame(_ schema: AvroSchema, _ framing: SchemaFraming) {
        switch framing {
        case .registry, .none: return
        case .bare: break
        case .singleObject: prefix = AvroSingleObject.prefix(of: schema)
        case .container: container = schema
        }
        headers = [MessageHeader(HeaderName.schema, Array(schema.fingerprint(.crc64).hexadecimal.utf8))]
    }
}
