import Dionysus

/// A serializer without its type: what it needs, and how it turns a record into attributes.
struct SerializerPlan: Sendable {
    /// A link under its name.
    struct Relationship: Sendable {
        let name: String
        let association: AssociationDescription
    }

    let model: ModelDescription
    /// Associations whose records the computations ask for.
    let loads: [AssociationDescription]
    let relationships: [Relationship]
    let attributes:
        @Sendable (any Model, [AssociationDescription: [any Model]], JSONTreeEncoder) throws -> [JSON.Object.Member]

    init(_ serializer: any ModelSerializer) { self = serializer.plan }

    /// A model without a serializer is written as it encodes itself.
    init(encoding model: ModelDescription) {
        self.model = model
        loads = []
        relationships = []
        attributes = { record, _, encoder in
            guard case .object(let object) = try encoder.encode(record) else { return [] }
            return object.members
        }
    }

    fileprivate init<S: ModelSerializer>(typed serializer: S) {
        model = ModelDescription(S.Record.self)
        let fields = Self.withoutReplaced(serializer.fields.fields)
        relationships = fields.compactMap { field in
            guard case .relationship(let association) = field.content else { return nil }
            return Relationship(name: field.name, association: association)
        }
        let computes = fields.contains { field in
            if case .computed = field.content { true } else { false }
        }
        var loads = fields.flatMap(\.loads)
        if computes { loads += relationships.map(\.association) }
        self.loads = loads.reduce(into: []) { unique, load in
            if !unique.contains(load) { unique.append(load) }
        }
        attributes = { record, targets, encoder in
            guard let record = record as? S.Record else { return [] }
            return try Self.attributes(of: record, fields, Related(targets: targets), encoder)
        }
    }

    private static func withoutReplaced<Record: Model>(_ fields: [Field<Record>]) -> [Field<Record>] {
        fields.reduce(into: []) { result, field in
            if let index = result.firstIndex(where: { $0.name == field.name }) {
                result[index] = field
            } else {
                result.append(field)
            }
        }
    }

    private static func attributes<Record: Model>(
        of record: Record,
        _ fields: [Field<Record>],
        _ related: Related<Record>,
        _ encoder: JSONTreeEncoder
    ) throws -> [JSON.Object.Member] {
        guard case .object(let object) = try encoder.encode(record) else { return [] }
        var members: [JSON.Object.Member] = []
        members.reserveCapacity(fields.count + 3)
        for field in fields {
            switch field.content {
            case .property(let scale):
                members.append(.init(field.name, scaled(object[field.name] ?? .null, scale)))
            case .computed(let scale, let value):
                members.append(.init(field.name, scaled(try encoder.encode(value(record, related)), scale)))
            case .relationship: break
            }
        }
        return members
    }

    private static func scaled(_ value: JSON, _ scale: Int?) -> JSON {
        guard let scale, let decimal = ExactDecimal(json: value), decimal.scale != scale else { return value }
        return .string(decimal.rounded(toScale: scale).description)
    }
}

extension ExactDecimal {
    fileprivate init?(json: JSON) {
        switch json {
        case .string(let text), .number(let text): self.init(text)
        case .integer(let value): self.init(value)
        default: return nil
        }
    }
}

extension ModelSerializer {
    fileprivate var plan: SerializerPlan { SerializerPlan(typed: self) }
}
