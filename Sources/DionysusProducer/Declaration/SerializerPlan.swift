import Dionysus

/// A serializer without its type: what it needs, and how it turns a record into attributes.
struct SerializerPlan: Sendable {
    /// Associated records, by the association that leads to them.
    typealias Targets = [AssociationDescription: [any Model]]

    /// A link under its name.
    struct Relationship: Sendable {
        let name: String
        /// The ways to the other records: none for a link that is only computed, several for a polymorphic one.
        let branches: [AssociationDescription]
        let isPolymorphic: Bool
        let isToMany: Bool
        /// A computation in the place of what the association gives.
        let link: (@Sendable (any Model, Targets, JSONTreeEncoder) throws -> JSON)?
    }

    /// A property under its coding key.
    struct Property: Sendable {
        let name: String
        let scale: Int?
    }

    let model: ModelDescription
    /// The serializer's type, for messages; nil for a model that is written as it encodes itself.
    let serializerName: String?
    /// Associations whose records the computations ask for.
    let loads: [AssociationDescription]
    let relationships: [Relationship]
    /// The attributes that are properties; nil if all are.
    let properties: [Property]?
    let attributes: @Sendable (any Model, Targets, JSONTreeEncoder) throws -> [JSON.Object.Member]

    init(_ serializer: any ModelSerializer) { self = serializer.plan }

    /// A model without a serializer is written as it encodes itself.
    init(encoding model: ModelDescription) {
        self.model = model
        serializerName = nil
        loads = []
        relationships = []
        properties = nil
        attributes = { record, _, encoder in
            guard case .object(let object) = try encoder.encode(record) else { return [] }
            return object.members
        }
    }

    fileprivate init<S: ModelSerializer>(typed serializer: S) {
        model = ModelDescription(S.Record.self)
        serializerName = String(describing: S.self)
        let fields = Self.withoutReplaced(serializer.fields.list)
        relationships = fields.compactMap { field in
            guard case .relationship(let relationship) = field.content else { return nil }
            return Relationship(name: field.name, relationship)
        }
        properties = fields.compactMap { field in
            guard case .property(let scale) = field.content else { return nil }
            return Property(name: field.name, scale: scale)
        }
        let computes = fields.contains { field in
            switch field.content {
            case .computed: true
            case .relationship(let relationship): relationship.link != nil
            case .property: false
            }
        }
        var loads = fields.flatMap(\.loads)
        if computes { loads += relationships.flatMap(\.branches) }
        self.loads = loads.withoutRepetitions
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
                members.append(.init(field.name, (object[field.name] ?? .null).scaled(to: scale)))
            case .computed(let scale, let value):
                members.append(.init(field.name, try encoder.encode(value(record, related)).scaled(to: scale)))
            case .relationship: break
            }
        }
        return members
    }
}

extension SerializerPlan.Relationship {
    init<Record: Model>(name: String, _ declared: Link<Record>) {
        self.name = name
        branches = declared.branches
        isPolymorphic = declared.isPolymorphic
        isToMany = declared.isToMany
        guard let link = declared.link else {
            self.link = nil
            return
        }
        self.link = { record, targets, encoder in
            guard let record = record as? Record else { return .null }
            return try encoder.encode(link(record, Related(targets: targets)))
        }
    }

    /// The sideload that fits a link: of a link that is computed only the linked records, in its order.
    func sideload(_ found: [(id: JSON, payload: JSON)], linkedBy value: JSON) -> JSON {
        var payloads = found.map(\.payload)
        if link != nil {
            let linked: [JSON] = if case .array(let ids) = value { ids } else { [value] }
            let byID = Dictionary(found.map { ($0.id, $0.payload) }, uniquingKeysWith: { first, _ in first })
            payloads = linked.compactMap { byID[$0] }
        }
        return isToMany ? .array(payloads) : payloads.first ?? .null
    }
}

extension JSON {
    /// A decimal number with as many digits behind the point as its attribute declares.
    func scaled(to scale: Int?) -> JSON {
        guard let scale, let decimal = ExactDecimal(json: self), decimal.scale != scale else { return self }
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
