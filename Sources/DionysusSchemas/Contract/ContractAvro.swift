package import Dionysus

extension Contract {
    /// An Avro schema for each model of each topic: a record with the attributes, the ids of links, and sideloads as nested
    /// records; for a topic of envelopes in Avro that of its envelopes.
    package var avroSchemas: JSON {
        let keys = keyTypes
        return .array(
            topics.flatMap { topic in
                if topic.holdsAvroEnvelopes { return [topic.envelopeDocument(keys: keys)] }
                return topic.models.map { model in
                    var names: Set<String> = []
                    let namespace = (topic.namespace ?? topic.name).avroName
                    return model.avroSchema(in: namespace, keys: keys, named: &names)
                }
            }
        )
    }

    /// The Avro schema of a topic's records of one model.
    /// - Parameters:
    ///   - model: The model's name.
    ///   - topic: The topic's full name.
    ///   - marksDeletions: Whether what is left of a destroyed record is a record too: then every attribute but the key may
    ///     be missing.
    /// - Returns: The schema, or nil if the topic doesn't publish the model.
    /// - Throws: `DionysusError` with code `malformed` for names that Avro can't have.
    package func recordSchema(of model: String, in topic: String, marksDeletions: Bool) throws -> AvroSchema? {
        guard let topic = topics.first(where: { $0.name == topic }),
            var model = topic.models.first(where: { $0.name == model })
        else { return nil }
        if marksDeletions {
            for index in model.attributes.indices where model.attributes[index].name != model.key.name {
                model.attributes[index].value.isNullable = true
            }
        }
        var names: Set<String> = []
        let namespace = (topic.namespace ?? topic.name).avroName
        var document = model.avroSchema(in: namespace, keys: keyTypes, named: &names)
        if marksDeletions, case .object(var object) = document, case .array(let fields)? = object["fields"] {
            let mark: JSON = ["name": .string(RecordDeletion.field), "type": "boolean", "default": false]
            object["fields"] = .array(fields.map(\.optionalList) + [mark])
            document = .object(object)
        }
        return try AvroSchema(document)
    }
}

extension JSON {
    /// A field that is a list, with none as its default.
    fileprivate var optionalList: JSON {
        guard case .object(var field) = self, field["default"] == nil, field["type"]?["type"] == "array" else {
            return self
        }
        field["default"] = []
        return .object(field)
    }
}

extension AvroSchema {
    /// The schema of keys with one field: a record that is called as this one, with `_key` behind it.
    /// - Parameter path: The field that they are taken from, with dots between the names of records in each other.
    /// - Returns: The schema.
    /// - Throws: `DionysusError` with code `declaration` if this schema has no such field.
    package func keySchema(field path: String) throws -> AvroSchema {
        var place = root
        let names = path.split(separator: ".").map(String.init)
        for name in names {
            guard case .record(let record) = types[withoutNull(place)].kind, let index = record.places[name] else {
                throw DionysusError(
                    .declaration,
                    "the Avro schema \(title) has no field \(path.printable()) that keys could be taken from",
                    advice: "name a field of the record, with dots between the names of records in each other"
                )
            }
            place = record.fields[index].type
        }
        guard let last = names.last, let whole = name else {
            throw DionysusError(.declaration, "the Avro schema \(title) is no record that keys could be taken from")
        }
        let parts = whole.split(separator: ".").map(String.init)
        var document: JSON.Object = ["type": "record", "name": .string((parts.last ?? whole) + "_key")]
        if parts.count > 1 { document["namespace"] = .string(parts.dropLast().joined(separator: ".")) }
        document["doc"] = .string("Key for \(whole)")
        let type = schema(at: withoutNull(place)).document
        document["fields"] = [["name": .string(last), "type": type]]
        return try AvroSchema(.object(document), .lenient)
    }

    /// The type itself, or the other branch of a union with null.
    private func withoutNull(_ place: Int) -> Int {
        guard case .union(let branches) = types[place].kind else { return place }
        let others = branches.filter { types[$0].kind.word != "null" }
        return others.count == 1 ? others[0] : place
    }
}

extension Contract.Model {
    /// The record; one that has been written before is named only.
    func avroSchema(
        in namespace: String,
        keys: [String: ContractType],
        named names: inout Set<String>
    ) -> JSON {
        let fullName = "\(namespace).\(name.avroName)"
        guard names.insert(fullName).inserted else { return .string(fullName) }
        var fields = attributes.map { attribute in
            Self.field(attribute.name, attribute.value.avroSchema, isNullable: attribute.value.isNullable)
        }
        let attributeNames = Set(attributes.map(\.name))
        for link in links {
            fields += link.avroFields(keys: keys).filter { !attributeNames.contains($0.name) }.map(\.field)
            let linked = parts.filter { link.models.contains($0.name) }
            guard !linked.isEmpty else { continue }
            let records = linked.map { $0.avroSchema(in: fullName, keys: keys, named: &names) }
            let record = records.count == 1 ? records[0] : JSON.array(records)
            if link.isToMany {
                fields.append(Self.field(link.name, .object(["type": "array", "items": record]), isNullable: false))
            } else {
                let union = JSON.array([.string("null")] + records)
                fields.append(.object(["name": .string(link.name), "type": union, "default": .null]))
            }
        }
        return .object([
            "type": "record", "name": .string(name.avroName), "namespace": .string(namespace),
            "fields": .array(fields),
        ])
    }

    static func field(_ name: String, _ schema: JSON, isNullable: Bool) -> JSON {
        isNullable
            ? .object(["name": .string(name), "type": ["null", schema], "default": .null])
            : .object(["name": .string(name), "type": schema])
    }
}

extension Contract.Link {
    fileprivate func avroFields(keys: [String: ContractType]) -> [(name: String, field: JSON)] {
        let id: [JSON] = idType(keys).map { [ContractValue($0).avroSchema] } ?? ["long", "string"]
        guard !isToMany else {
            let name = Inflection().singular(of: name) + "_ids"
            let items = id.count == 1 ? id[0] : .array(id)
            return [(name, Contract.Model.field(name, .object(["type": "array", "items": items]), isNullable: false))]
        }
        let union: JSON = .object([
            "name": .string(name + "_id"), "type": .array(["null"] + id), "default": .null,
        ])
        let fields = [(name + "_id", union)]
        guard models.count > 1 else { return fields }
        return fields + [(name + "_type", Contract.Model.field(name + "_type", "string", isNullable: true))]
    }
}

extension ContractValue {
    /// The schema of the value where it isn't null.
    var avroSchema: JSON {
        switch type {
        case .integer: "long"
        case .double: "double"
        case .boolean: "boolean"
        case .string: "string"
        case .json: .object(["type": "string", "logicalType": "json"])
        case .bytes: "bytes"
        case .uuid: .object(["type": "string", "logicalType": "uuid"])
        case .date: .object(["type": "int", "logicalType": "date"])
        case .timestamp: .object(["type": "long", "logicalType": "timestamp-micros"])
        case .decimal: decimalSchema
        case .array: .object(["type": "array", "items": elementSchema])
        }
    }

    /// Avro's decimals all have one scale; where none is declared, the digits stay as they are written.
    private var decimalSchema: JSON {
        guard let scale else { return "string" }
        return .object([
            "type": "bytes", "logicalType": "decimal", "precision": .integer(Int64(max(38, scale))),
            "scale": .integer(Int64(scale)),
        ])
    }

    private var elementSchema: JSON {
        guard let element else { return "string" }
        return element.isNullable ? ["null", element.avroSchema] : element.avroSchema
    }
}

extension String {
    /// The text with an underscore for everything that Avro's names can't have.
    var avroName: String {
        let name = String(map { $0 == "." || $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        return name.first?.isNumber ?? true ? "_" + name : name
    }
}
