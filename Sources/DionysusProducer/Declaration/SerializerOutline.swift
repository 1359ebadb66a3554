package import Dionysus

/// A serializer as a declaration in a file could have it.
package struct SerializerOutline: Sendable {
    package let model: ModelDescription
    /// The attributes in their order; nil if all properties are published.
    package let attributes: [DeclaredSerializer.Attribute]?
    package let links: [DeclaredSerializer.Relationship]
    /// What only code can say, a line each.
    package let unsaid: [String]
}

extension Serializers {
    /// The serializers, each of a model once.
    package var outlines: [SerializerOutline] {
        plans.map(\.model).withoutRepetitions.compactMap { plan(of: $0).map(SerializerOutline.init) }
    }
}

extension SerializerOutline {
    fileprivate init(_ plan: SerializerPlan) {
        model = plan.model
        var unsaid: [String] = []
        attributes = plan.attributes.map { attributes in
            attributes.compactMap { attribute in
                if let sql = attribute.sql { return .sql(sql) }
                guard attribute.computedType == nil else {
                    unsaid.append("the attribute \(attribute.name), which code computes")
                    return nil
                }
                return .column(attribute.name, scale: attribute.scale)
            }
        }
        links = plan.relationships.compactMap { link in
            guard link.link == nil, !link.branches.isEmpty else {
                unsaid.append("the link \(link.name), which code computes")
                return nil
            }
            return DeclaredSerializer.Relationship(link.name, link.branches, isPolymorphic: link.isPolymorphic)
        }
        if let variants = plan.variants {
            unsaid.append(
                "the serializers that \(variants.column) chooses for \(variants.plans.keys.sorted().joined(separator: ", "))"
            )
        }
        self.unsaid = unsaid
    }
}
