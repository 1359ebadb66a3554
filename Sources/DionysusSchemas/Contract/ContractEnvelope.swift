package import Dionysus

extension Contract {
    /// The Avro schema of a topic's envelopes.
    /// - Parameter topic: The topic's full name.
    /// - Returns: The schema, or nil if nothing is published there.
    /// - Throws: `DionysusError` with code `malformed` for names that Avro can't have.
    package func envelopeSchema(of topic: String) throws -> AvroSchema? {
        guard let topic = topics.first(where: { $0.name == topic }), !topic.models.isEmpty else { return nil }
        return try AvroSchema(topic.envelopeDocument(keys: keyTypes))
    }

    /// The JSON Schema of a topic's envelopes, for a registry.
    /// - Parameter topic: The topic's full name.
    /// - Returns: The schema, or nil if nothing is published there.
    package func envelopeJSONSchema(of topic: String) -> JSON? {
        guard let topic = topics.first(where: { $0.name == topic }), !topic.models.isEmpty else { return nil }
        var document: JSON.Object = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": .string("\(topic.namespace ?? topic.name).\(Contract.Topic.envelopeName)"),
        ]
        // A tombstone has no value that would name a schema.
        document.members += topic.envelopeSchema(type: "object").members
        return .object(document)
    }
}

extension Contract.Topic {
    /// What the record of a topic's envelopes is called, within its namespace.
    static let envelopeName = "Envelope"

    /// Whether its messages are envelopes in Avro.
    var holdsAvroEnvelopes: Bool { envelopeFormat == "avro" }

    /// Whether the data of its envelopes are records, with links beside attributes.
    var putsRecordsInEnvelopes: Bool { holdsAvroEnvelopes || envelopeFormat == "protobuf" }

    private var envelopeFormat: String? {
        let words = encoding.split(separator: ".")
        return words.count > 1 && words[0] == "envelope" ? String(words[1]) : nil
    }

    /// The Avro schema of its envelopes: a list of events, whose data are the models' records and what is left of destroyed
    /// ones.
    func envelopeDocument(keys: [String: ContractType]) -> JSON {
        let namespace = (self.namespace ?? name).avroName
        let envelope = "\(namespace).\(Self.envelopeName)"
        var names: Set<String> = []
        let records = models.flatMap { model in
            [model.avroSchema(in: namespace, keys: keys, named: &names), model.remainsDocument(in: namespace)]
        }
        let event: JSON = .object([
            "type": "record", "name": "Event", "namespace": .string(envelope),
            "fields": [
                ["name": .string(AvroEnvelope.event), "type": "string"],
                ["name": .string(AvroEnvelope.model), "type": "string"],
                .object([
                    "name": .string(AvroEnvelope.data),
                    "type": .object(["type": "array", "items": .array(records)]),
                ]),
            ],
        ])
        let events: JSON = .object([
            "name": .string(AvroEnvelope.events), "type": .object(["type": "array", "items": event]),
        ])
        return .object([
            "type": "record", "name": .string(Self.envelopeName), "namespace": .string(namespace),
            "fields": [events],
        ])
    }
}

extension Contract.Model {
    /// The record of what is left when a record no longer exists: its key, and the attributes that capture kept.
    fileprivate func remainsDocument(in namespace: String) -> JSON {
        let fields = attributes.map { attribute in
            let isNullable = attribute.value.isNullable || attribute.name != key.name
            return Self.field(attribute.name, attribute.value.avroSchema, isNullable: isNullable)
        }
        let mark: JSON = ["name": .string(RecordDeletion.field), "type": "boolean", "default": true]
        return .object([
            "type": "record", "name": .string(name.avroName + AvroEnvelope.remains), "namespace": .string(namespace),
            "fields": .array(fields + [mark]),
        ])
    }
}
