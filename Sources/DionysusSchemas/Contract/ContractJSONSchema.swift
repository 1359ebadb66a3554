package import Dionysus

extension Contract {
    /// The JSON Schema (2020-12) of the values of a topic's messages, or of all topics.
    /// - Parameter topic: The topic's full name; nil for a document with every topic's schema among its definitions.
    /// - Returns: The document, or nil if there is no such topic.
    package func jsonSchema(of topic: String? = nil) -> JSON? {
        let dialect = JSON.string("https://json-schema.org/draft/2020-12/schema")
        guard let topic else {
            let definitions = topics.map { JSON.Object.Member($0.name, .object($0.messageSchema)) }
            return .object([
                "$schema": dialect, "title": "Messages by topic", "$defs": .object(JSON.Object(definitions)),
            ])
        }
        guard let topic = topics.first(where: { $0.name == topic }) else { return nil }
        var document: JSON.Object = ["$schema": dialect, "title": .string("Messages of \(topic.name)")]
        document.members += topic.messageSchema.members
        return .object(document)
    }
}

extension Contract.Topic {
    /// The schema of a message's value: a list of events, or null for a tombstone.
    ///
    /// It refers to nothing outside itself, so that it may stand anywhere in a document.
    package var messageSchema: JSON.Object {
        encoding.hasPrefix("record.") ? recordSchema : envelopeSchema(type: ["object", "null"])
    }

    /// The schema of a list of events.
    func envelopeSchema(type: JSON) -> JSON.Object {
        let events = models.flatMap { model in
            model.eventNames.map { event in
                JSON.object([
                    "type": "object",
                    "properties": .object([
                        "event": .object(["const": .string(event)]),
                        "model_name": .object(["const": .string(model.name)]),
                        "data": .object([
                            "type": "array", "minItems": 1,
                            "items": .object(
                                model.dataSchema(
                                    isWhole: event != model.eventNames.last,
                                    isRecord: putsRecordsInEnvelopes
                                )
                            ),
                        ]),
                    ]),
                    "required": ["event", "model_name", "data"],
                ])
            }
        }
        return [
            "type": type,
            "properties": .object([
                "message": .object(["type": "array", "items": .object(["oneOf": .array(events)])])
            ]),
            "required": ["message"],
        ]
    }
}

extension Contract.Topic {
    /// The schema of the value of a message with one record, or null for one that is gone.
    private var recordSchema: JSON.Object {
        let records = models.map { JSON.object($0.recordSchema()) }
        return ["anyOf": .array(records + [.object(["type": "null"])])]
    }
}

extension Contract.Model {
    /// The schema of a record.
    /// - Parameter marksDeletions: Whether what is left of a destroyed record is a record too.
    package func recordSchema(marksDeletions: Bool = false) -> JSON.Object {
        var members = attributes.map { JSON.Object.Member($0.name, .object($0.value.schema)) }
        let names = Set(attributes.map(\.name))
        members += links.flatMap(\.recordMembers).filter { !names.contains($0.name) }
        members += partMembers { $0.recordSchema() }
        if marksDeletions { members.append(JSON.Object.Member(RecordDeletion.field, .object(["type": "boolean"]))) }
        let required = marksDeletions ? [key.name] : attributes.map(\.name)
        return [
            "type": "object", "properties": .object(JSON.Object(members)),
            "required": .array(required.map(JSON.string)),
        ]
    }

    /// The schema of an event's data.
    /// - Parameters:
    ///   - isWhole: Whether the record exists.
    ///   - isRecord: Whether links stand beside attributes.
    fileprivate func dataSchema(isWhole: Bool, isRecord: Bool) -> JSON.Object {
        guard isRecord else { return isWhole ? payloadSchema : remainsSchema }
        return recordSchema(marksDeletions: !isWhole)
    }

    /// The names of its events: created, updated and destroyed.
    package var eventNames: [String] {
        let singular = Inflection.underscored(name)
        return ["created", "updated", "destroyed"].map { "\(singular)_\($0)" }
    }

    /// The schema of a payload.
    package var payloadSchema: JSON.Object {
        [
            "type": "object", "properties": .object(JSON.Object(properties(isWhole: true))),
            "required": .array(attributes.map { .string($0.name) } + ["links"]),
        ]
    }

    /// The schema of what is left of a record that no longer exists: its key, and what capture kept.
    package var remainsSchema: JSON.Object {
        ["type": "object", "properties": .object(JSON.Object(properties(isWhole: false))), "required": ["links"]]
    }

    private func properties(isWhole: Bool) -> [JSON.Object.Member] {
        attributes.map { JSON.Object.Member($0.name, .object($0.value.schema)) } + [linksMember(isWhole: isWhole)]
            + partMembers { $0.payloadSchema }
    }

    private func linksMember(isWhole: Bool) -> JSON.Object.Member {
        var schema: JSON.Object = ["type": "object"]
        if !links.isEmpty {
            schema["properties"] = .object(JSON.Object(links.map { JSON.Object.Member($0.name, .object($0.schema)) }))
        }
        if isWhole, !links.isEmpty { schema["required"] = .array(links.map { .string($0.name) }) }
        return JSON.Object.Member("links", .object(schema))
    }

    /// A sideloaded relationship stands under its own name, too.
    private func partMembers(_ schema: (Contract.Model) -> JSON.Object) -> [JSON.Object.Member] {
        links.compactMap { link in
            let models = parts.filter { link.models.contains($0.name) }
            guard !models.isEmpty else { return nil }
            let payloads = models.map { JSON.object(schema($0)) }
            let record: JSON = payloads.count == 1 ? payloads[0] : .object(["anyOf": .array(payloads)])
            let schema: JSON =
                link.isToMany
                ? .object(["type": "array", "items": record])
                : .object(["anyOf": [record, .object(["type": "null"])]])
            return JSON.Object.Member(link.name, schema)
        }
    }
}

extension Contract.Link {
    /// The members that a record has in its place.
    fileprivate var recordMembers: [JSON.Object.Member] {
        if isToMany {
            let ids: JSON = .object(["type": "array", "items": .object(["type": ["integer", "string"]])])
            return [.init(Inflection().singular(of: name) + "_ids", ids)]
        }
        let id = JSON.Object.Member(name + "_id", .object(["type": ["integer", "string", "null"]]))
        guard models.count > 1 else { return [id] }
        return [id, .init(name + "_type", .object(["type": ["string", "null"]]))]
    }

    fileprivate var schema: JSON.Object {
        let id: JSON = ["integer", "string"]
        let polymorphic: JSON.Object = [
            "type": "object",
            "properties": .object([
                "id": .object(["type": id]),
                "type": .object(["enum": .array(models.map(JSON.string))]),
            ]),
            "required": ["id", "type"],
        ]
        switch (isToMany, models.count > 1) {
        case (true, false): return ["type": "array", "items": .object(["type": id])]
        case (true, true): return ["type": "array", "items": .object(polymorphic)]
        case (false, false): return ["type": ["integer", "string", "null"]]
        case (false, true): return ["anyOf": [.object(polymorphic), .object(["type": "null"])]]
        }
    }
}

extension ContractValue {
    /// The schema of the value on the wire.
    package var schema: JSON.Object {
        guard let type = jsonType else { return [:] }
        var schema: JSON.Object = ["type": isNullable ? [.string(type), "null"] : .string(type)]
        switch self.type {
        case .decimal:
            // Rails leaves out zeros at the end, so that there may be fewer digits than the scale says.
            let digits = scale.map { "{1,\($0)}" } ?? "+"
            schema["pattern"] = .string(scale == 0 ? "^-?[0-9]+$" : "^-?[0-9]+(\\.[0-9]\(digits))?$")
        case .timestamp: schema["format"] = "date-time"
        case .date: schema["format"] = "date"
        case .uuid: schema["format"] = "uuid"
        case .bytes: schema["contentEncoding"] = "base64"
        case .array: schema["items"] = element.map { .object($0.schema) }
        case .integer, .double, .boolean, .string, .json: break
        }
        if let values { schema["enum"] = .array(values + (isNullable ? [.null] : [])) }
        return schema
    }

    /// The type's name in JSON Schema; nil for a document of any form.
    private var jsonType: String? {
        switch type {
        case .integer: "integer"
        case .double: "number"
        case .boolean: "boolean"
        case .decimal, .string, .timestamp, .date, .uuid, .bytes: "string"
        case .array: "array"
        case .json: nil
        }
    }
}
