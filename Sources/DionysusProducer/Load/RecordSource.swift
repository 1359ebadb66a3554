import Dionysus

/// Where a field of a record comes from.
enum RecordSource: Sendable {
    /// The primary key, as the row has it.
    case primaryKey
    /// A declared attribute, by its place.
    case attribute(Int)
    /// A member of a record that is published whole, by its name.
    case member(String, hint: Int)
    /// The id that a link of this place leads to.
    case linkedID(Int)
    /// The model that a link leads to.
    case linkedType(Int)
    /// The ids that a link leads to.
    case linkedIDs(Int)
    /// The records that a link leads to.
    case sideload(Int)
}

extension LoadPlan {
    /// Where the fields of records come from, by name, in the order in which records have them.
    /// - Parameter serializer: The model's serializer, or the one that is chosen for some of its records.
    func sources(_ serializer: SerializerPlan) throws -> [(name: String, source: RecordSource)] {
        var sources: [(name: String, source: RecordSource)] = []
        func add(_ name: String, _ source: RecordSource) {
            guard !sources.contains(where: { $0.name == name }) else { return }
            sources.append((name, source))
        }
        if let attributes = serializer.attributes {
            for (index, attribute) in attributes.enumerated() { add(attribute.name, .attribute(index)) }
        } else {
            for (index, column) in try model.columns().enumerated() {
                add(column.name, .member(column.name, hint: index))
            }
        }
        for (index, relationship) in serializer.relationships.enumerated() {
            if relationship.isToMany {
                add(relationship.idsName, .linkedIDs(index))
            } else {
                add(relationship.name + "_id", .linkedID(index))
                if relationship.isPolymorphic { add(relationship.name + "_type", .linkedType(index)) }
            }
        }
        for (index, relationship) in serializer.relationships.enumerated()
        where relationship.branches.contains(where: sideloads.contains) { add(relationship.name, .sideload(index)) }
        return sources
    }

    /// Where the value of a name comes from that no serializer computes: the key's is at hand without its record.
    func keySource(_ name: String, _ serializer: SerializerPlan) throws -> RecordSource? {
        let isComputed = serializer.attributes?.first { $0.name == name }?.isComputed ?? false
        if name == model.primaryKey, !isComputed { return .primaryKey }
        return try sources(serializer).first { $0.name == name }?.source
    }
}

extension SerializerPlan.Relationship {
    /// The name under which a record has the ids of a link to several: `bookings_fee_ids`.
    var idsName: String { Inflection().singular(of: name) + "_ids" }
}
