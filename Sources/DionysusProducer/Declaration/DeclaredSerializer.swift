package import Dionysus

/// How a model without a type becomes payloads.
package struct DeclaredSerializer: Sendable {
    /// An attribute of payloads.
    package enum Attribute: Sendable {
        /// A column under its name; of a decimal number, the scale is how many digits are behind the point.
        case column(String, scale: Int?)
        /// What the database computes.
        case sql(SQLAttribute)
        /// What code computes that was added to the declaration.
        case computed(
            String,
            scale: Int?,
            type: any AttributeValue.Type,
            @Sendable (DeclaredRecord) throws -> any AttributeValue
        )

        var name: String {
            switch self {
            case .column(let name, _): name
            case .sql(let attribute): attribute.name
            case .computed(let name, _, _, _): name
            }
        }
    }

    /// A link, and a sideload where the publication asks for it.
    package struct Relationship: Sendable {
        package let name: String
        /// The ways to the other records: several for a polymorphic link.
        package let branches: [AssociationDescription]
        package let isPolymorphic: Bool

        /// Declares a link.
        package init(_ name: String, _ branches: [AssociationDescription], isPolymorphic: Bool) {
            self.name = name
            self.branches = branches
            self.isPolymorphic = isPolymorphic
        }
    }

    package let model: ModelDescription
    package let attributes: [Attribute]
    package let links: [Relationship]

    /// Declares a serializer.
    package init(_ model: ModelDescription, attributes: [Attribute], links: [Relationship]) {
        self.model = model
        self.attributes = attributes
        self.links = links
    }

    /// The serializer with an attribute, which takes the place of one of its name.
    package func adding(_ attribute: Attribute) -> DeclaredSerializer {
        var all = attributes
        if let index = all.firstIndex(where: { $0.name == attribute.name }) {
            all[index] = attribute
        } else {
            all.append(attribute)
        }
        return DeclaredSerializer(model, attributes: all, links: links)
    }
}

extension Serializers {
    /// Collects serializers of models without types.
    package init(declared serializers: [DeclaredSerializer]) {
        self.init(serializers.map { SerializerPlan($0) })
    }
}

extension SerializerPlan {
    /// The plan of a model without a type: values go from its row into the payload.
    init(_ serializer: DeclaredSerializer) {
        // Only of types can it be unknown which columns they have.
        let columns = (try? serializer.model.columns()) ?? []
        let kinds = Dictionary(columns.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
        let members = serializer.attributes.map { attribute in
            (member: JSONWriter.memberName(attribute.name), attribute: attribute, kind: kinds[attribute.name] ?? .any)
        }
        model = serializer.model
        serializerName = "the serializer of \(serializer.model)"
        loads = []
        relationships = serializer.links.map { link in
            let declared = Link<RowRecord>(
                branches: link.branches,
                isPolymorphic: link.isPolymorphic,
                isToMany: link.branches.contains(where: \.isToMany)
            )
            return Relationship(name: link.name, declared)
        }
        properties = serializer.attributes.compactMap { attribute in
            guard case .column(let name, let scale) = attribute else { return nil }
            return Property(name: name, scale: scale)
        }
        attributes = serializer.attributes.map { attribute in
            switch attribute {
            case .column(let name, let scale): DeclaredAttribute(name: name, scale: scale, computedType: nil)
            case .sql(let sql):
                DeclaredAttribute(name: sql.name, scale: sql.scale, computedType: sql.type, sql: sql)
            case .computed(let name, let scale, let type, _):
                DeclaredAttribute(name: name, scale: scale, computedType: type)
            }
        }
        sqlAttributes = serializer.attributes.compactMap { if case .sql(let sql) = $0 { sql } else { nil } }
        writeAttributes = { record, _, sqlValues, encoder, writer in
            guard let row = (record as? RowRecord)?.row else { return }
            var (next, nextSQL) = (0, 0)
            for (member, attribute, kind) in members {
                writer.append(member)
                switch attribute {
                case .column(let name, let scale):
                    if let column = row.index(of: name, hint: next) {
                        try encoder.write(row, column, as: kind, scaledTo: scale, into: &writer)
                        next = column + 1
                    } else {
                        writer.literal("null")
                    }
                case .sql(let sql):
                    let value = try sqlValues.value(nextSQL, of: sql)
                    try encoder.write(value, named: sql.name, scaledTo: sql.scale, into: &writer)
                    nextSQL += 1
                case .computed(let name, let scale, _, let value):
                    try encoder.write(value(DeclaredRecord(row: row)), named: name, scaledTo: scale, into: &writer)
                }
                writer.literal(",")
            }
        }
        collectAttributes = { record, _, sqlValues, values in
            guard let row = (record as? RowRecord)?.row else { return }
            try values.encode(record)
            var (next, nextSQL) = (0, 0)
            for (_, attribute, _) in members {
                switch attribute {
                case .column(let name, let scale):
                    if let index = values.index(of: name, hint: next) {
                        values.addAttribute(index, scaledTo: scale)
                        next = index + 1
                    } else {
                        values.addMissingAttribute()
                    }
                case .sql(let sql):
                    try values.addAttribute(
                        sqlValues.value(nextSQL, of: sql),
                        named: sql.name,
                        scaledTo: sql.scale
                    )
                    nextSQL += 1
                case .computed(let name, let scale, _, let value):
                    try values.addAttribute(value(DeclaredRecord(row: row)), named: name, scaledTo: scale)
                }
            }
        }
        numberSQLColumns()
    }
}
