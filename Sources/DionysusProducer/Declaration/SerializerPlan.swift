import Dionysus

/// A serializer without its type: what it needs, and how it turns a record into attributes.
struct SerializerPlan: Sendable {
    /// Associated records, by the association that leads to them: a few, which are found faster one after another than
    /// by their hashes.
    typealias Targets = [(association: AssociationDescription, records: [any Model])]

    /// A link under its name.
    struct Relationship: Sendable {
        let name: String
        /// The ways to the other records: none for a link that is only computed, several for a polymorphic one.
        let branches: [AssociationDescription]
        let isPolymorphic: Bool
        let isToMany: Bool
        /// A computation in the place of what the association gives.
        let link: (@Sendable (any Model, Targets, JSONTreeEncoder) throws -> JSON)?
        /// The name as the beginning of a JSON member.
        let memberName: [UInt8]
    }

    /// A property under its coding key.
    struct Property: Sendable {
        let name: String
        let scale: Int?
    }

    /// An attribute of payloads, as it is declared.
    struct DeclaredAttribute: Sendable {
        let name: String
        let scale: Int?
        /// What the computation returns; nil for a property, and for SQL of no declared type.
        let computedType: (any AttributeValue.Type)?
        /// What the database computes.
        var sql: SQLAttribute?

        /// Whether it isn't a property.
        var isComputed: Bool { computedType != nil || sql != nil }
    }

    let model: ModelDescription
    /// The serializer's type, for messages; nil for a model that is published whole.
    let serializerName: String?
    /// Associations whose records the computations ask for.
    let loads: [AssociationDescription]
    let relationships: [Relationship]
    /// The attributes that are properties; nil if all are.
    let properties: [Property]?
    /// All attributes of payloads, those that are computed too; nil if they are the model's.
    let attributes: [DeclaredAttribute]?
    /// What the database computes, among the attributes.
    let sqlAttributes: [SQLAttribute]
    /// The columns in which a record's row has the values of ``sqlAttributes``.
    private(set) var sqlColumns: [String] = []
    /// Writes a record's attributes as JSON members, each followed by a comma.
    let writeAttributes: @Sendable (any Model, Targets, SQLValues, MemberEncoder, inout JSONWriter) throws -> Void
    /// Collects a record's attributes as values: its members, and in their order those of ``attributes``.
    let collectAttributes: @Sendable (any Model, Targets, SQLValues, MemberValues) throws -> Void

    /// Other plans, of which a record's column chooses one.
    private(set) var variants: Variants?

    init(_ serializer: any ModelSerializer) {
        self = serializer.plan
        variants = (serializer as? any ChoosingSerializer)?.variants
        numberSQLColumns()
    }

    /// The plan of a model that is written as it encodes itself.
    init(encoding model: ModelDescription) {
        self.model = model
        serializerName = nil
        loads = []
        relationships = []
        properties = nil
        attributes = nil
        sqlAttributes = []
        writeAttributes = { record, _, _, encoder, writer in
            try encoder.encode(record)
            for index in 0..<encoder.count {
                writer.write(encoder.name(index))
                writer.literal(":")
                encoder.write(index, scaledTo: nil, into: &writer)
                writer.literal(",")
            }
        }
        collectAttributes = { record, _, _, values in try values.encode(record) }
    }

    fileprivate init<S: ModelSerializer>(_ serializer: S, _ declared: Fields<S.Record>) {
        model = ModelDescription(S.Record.self)
        serializerName = String(describing: S.self)
        let fields = Self.withoutReplaced(declared.list)
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
            case .property, .sql: false
            }
        }
        var loads = fields.flatMap(\.loads)
        if computes { loads += relationships.flatMap(\.branches) }
        self.loads = loads.withoutRepetitions
        let members = fields.compactMap { field -> (name: [UInt8], field: Field<S.Record>)? in
            if case .relationship = field.content { return nil }
            return (JSONWriter.memberName(field.name), field)
        }
        attributes = fields.compactMap { field in
            switch field.content {
            case .property(let scale): DeclaredAttribute(name: field.name, scale: scale, computedType: nil)
            case .computed(let scale, let type, _):
                DeclaredAttribute(name: field.name, scale: scale, computedType: type)
            case .sql(let sql):
                DeclaredAttribute(name: field.name, scale: sql.scale, computedType: sql.type, sql: sql)
            case .relationship: nil
            }
        }
        let attributeFields = members.map(\.field)
        sqlAttributes = fields.compactMap { if case .sql(let sql) = $0.content { sql } else { nil } }
        writeAttributes = { record, targets, sql, encoder, writer in
            guard let record = record as? S.Record else { return }
            try Self.write(members, of: record, Related(targets: targets), sql, encoder, &writer)
        }
        collectAttributes = { record, targets, sql, values in
            guard let record = record as? S.Record else { return }
            try Self.collect(attributeFields, of: record, Related(targets: targets), sql, into: values)
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

    private static func write<Record: Model>(
        _ attributes: [(name: [UInt8], field: Field<Record>)],
        of record: Record,
        _ related: Related<Record>,
        _ sqlValues: SQLValues,
        _ encoder: MemberEncoder,
        _ writer: inout JSONWriter
    ) throws {
        try encoder.encode(record)
        var next = 0
        var nextSQL = 0
        for (name, field) in attributes {
            writer.append(name)
            switch field.content {
            case .property(let scale):
                if let index = encoder.index(of: field.name, hint: next) {
                    encoder.write(index, scaledTo: scale, into: &writer)
                    next = index + 1
                } else {
                    writer.literal("null")
                }
            case .computed(let scale, _, let value):
                try encoder.write(value(record, related), named: field.name, scaledTo: scale, into: &writer)
            case .sql(let sql):
                let value = try sqlValues.value(nextSQL, of: sql)
                try encoder.write(value, named: field.name, scaledTo: sql.scale, into: &writer)
                nextSQL += 1
            case .relationship: break
            }
            writer.literal(",")
        }
    }
}

extension SerializerPlan {
    /// Names the columns of all variants, which one query has.
    mutating func numberSQLColumns() {
        var count = 0
        func names(_ plan: SerializerPlan) -> [String] {
            defer { count += plan.sqlAttributes.count }
            return plan.sqlAttributes.indices.map { "dionysus_sql_\(count + $0 + 1)" }
        }
        sqlColumns = names(self)
        variants = variants.map { variants in
            var plans = variants.plans
            for (value, plan) in variants.plans.sorted(by: { $0.key < $1.key }) {
                plans[value]?.sqlColumns = names(plan)
            }
            return Variants(column: variants.column, plans: plans)
        }
    }

    private static func collect<Record: Model>(
        _ attributes: [Field<Record>],
        of record: Record,
        _ related: Related<Record>,
        _ sqlValues: SQLValues,
        into values: MemberValues
    ) throws {
        try values.encode(record)
        var next = 0
        var nextSQL = 0
        for field in attributes {
            switch field.content {
            case .property(let scale):
                if let index = values.index(of: field.name, hint: next) {
                    values.addAttribute(index, scaledTo: scale)
                    next = index + 1
                } else {
                    values.addMissingAttribute()
                }
            case .computed(let scale, _, let value):
                try values.addAttribute(value(record, related), named: field.name, scaledTo: scale)
            case .sql(let sql):
                let value = try sqlValues.value(nextSQL, of: sql)
                try values.addAttribute(value, named: field.name, scaledTo: sql.scale)
                nextSQL += 1
            case .relationship: break
            }
        }
    }
}

extension SerializerPlan.Relationship {
    init<Record: Model>(name: String, _ declared: Link<Record>) {
        self.name = name
        memberName = JSONWriter.memberName(name)
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

    /// Writes the sideload that fits a link: of a link that is computed only the linked records, in its order.
    func write(sideload found: [(id: JSON, payload: [UInt8])], linkedBy value: JSON, into writer: inout JSONWriter) {
        var payloads = found.map(\.payload)
        if link != nil {
            let linked: [JSON] = if case .array(let ids) = value { ids } else { [value] }
            let byID = Dictionary(found.map { ($0.id, $0.payload) }, uniquingKeysWith: { first, _ in first })
            payloads = linked.compactMap { byID[$0] }
        }
        guard isToMany else {
            if let payload = payloads.first { writer.append(payload) } else { writer.literal("null") }
            return
        }
        writer.literal("[")
        for (index, payload) in payloads.enumerated() {
            if index > 0 { writer.literal(",") }
            writer.append(payload)
        }
        writer.literal("]")
    }
}

extension [(association: AssociationDescription, records: [any Model])] {
    subscript(association: AssociationDescription) -> [any Model]? {
        first { $0.association == association }?.records
    }

    func replacing(_ association: AssociationDescription, by records: [any Model]) -> SerializerPlan.Targets {
        filter { $0.association != association } + [(association, records)]
    }
}

extension JSONWriter {
    /// A name as the beginning of a JSON member.
    static func memberName(_ name: String) -> [UInt8] {
        var writer = JSONWriter(capacity: name.utf8.count + 3)
        writer.write(name)
        writer.literal(":")
        return writer.bytes
    }
}

extension ModelSerializer {
    fileprivate var plan: SerializerPlan {
        let fields = fields
        return fields.areAllProperties ? SerializerPlan(encoding: modelDescription) : SerializerPlan(self, fields)
    }
}
