import Dionysus

/// How the members of a record are named here, in which links stand beside attributes: `account_id`, `booking_ids`.
///
/// The records of a topic nearly always have the same members in the same order, so names are worked out once for each such
/// order and shared.
final class FlatShape: Sendable {
    /// A member with the records of a link.
    struct SideloadPlace: Sendable {
        let name: String
        /// The place of the records among the members.
        let member: Int
        /// The place of the ids among the members.
        let ids: Int
        /// The place of the model's name among the members, of a link to several models.
        let type: Int?
        let isToMany: Bool
        /// The model that the link's name stands for.
        let model: String
    }

    private let members: [String]
    let shape: RecordShape
    /// The places of the values among the members, in the order of the shape's names.
    private let order: [Int]
    let sideloads: [SideloadPlace]
    /// The places of members that hold records if they are of the right kind.
    private let candidates: [(place: Int, isToMany: Bool)]

    init(_ object: JSON.Object, _ naming: Naming) {
        let names = object.members.map(\.name)
        let places = Dictionary(names.indices.map { (names[$0], $0) }, uniquingKeysWith: { $1 })
        var candidates: [(place: Int, isToMany: Bool)] = []
        var sideloads: [SideloadPlace] = []
        for (place, name) in names.enumerated() where places[name] == place {
            let singular = naming.inflection.singular(of: name)
            if let ids = places[singular + "_ids"] {
                candidates.append((place, true))
                guard Self.holdsRecords(object.members[place].value, isToMany: true) else { continue }
                let model = naming.inflection.camelized(singular)
                sideloads.append(
                    SideloadPlace(name: name, member: place, ids: ids, type: nil, isToMany: true, model: model)
                )
            } else if let id = places[name + "_id"] {
                candidates.append((place, false))
                guard Self.holdsRecords(object.members[place].value, isToMany: false) else { continue }
                sideloads.append(
                    SideloadPlace(
                        name: name,
                        member: place,
                        ids: id,
                        type: places[name + "_type"],
                        isToMany: false,
                        model: naming.inflection.camelized(name)
                    )
                )
            }
        }
        let records = Set(sideloads.filter { object.members[$0.member].value != .null }.map(\.member))
        let plain = names.indices.filter { places[names[$0]] == $0 && !records.contains($0) }
        let isLink = { (place: Int) in Self.isLink(names[place], places) }
        let attributes = plain.filter { !isLink($0) }
        let links = plain.filter(isLink)
        members = names
        order = attributes + links
        shape = RecordShape(
            attributes: attributes.map { names[$0] },
            links: links.map { names[$0] },
            naming
        )
        self.candidates = candidates
        self.sideloads = sideloads
    }

    /// Whether a member may be a part of a link: an id, ids, or the model that goes with an id.
    private static func isLink(_ name: String, _ places: [String: Int]) -> Bool {
        if name.hasSuffix("_ids") || name.hasSuffix("_id") { return true }
        return name.hasSuffix("_type") && places[name.dropLast(4) + "id"] != nil
    }

    private static func holdsRecords(_ value: JSON, isToMany: Bool) -> Bool {
        switch value {
        case .object: !isToMany
        case .array(let elements): isToMany && elements.allSatisfy { if case .object = $0 { true } else { false } }
        case .null: !isToMany
        default: false
        }
    }

    /// Whether a record has these members, so that this is its shape.
    func matches(_ object: JSON.Object) -> Bool {
        guard object.members.count == members.count else { return false }
        for index in members.indices where object.members[index].name != members[index] { return false }
        for (place, isToMany) in candidates {
            let value = object.members[place].value
            let sideload = sideloads.contains { $0.member == place }
            guard Self.holdsRecords(value, isToMany: isToMany) == sideload else { return false }
            // Null stands among the attributes too.
            if sideload, (value == .null) != order.contains(place) { return false }
        }
        return true
    }

    /// The values of a record of this shape, in the order of the shape's names.
    func values(of object: JSON.Object) -> [JSON] { order.map { object.members[$0].value } }
}

extension Deserializer {
    /// Reads a record whose links stand beside its attributes.
    /// - Parameters:
    ///   - object: The record.
    ///   - model: The model's name on the wire.
    ///   - number: The record's number among all of its message; nil for one that came along in another.
    /// - Throws: ``DionysusError`` with code `malformed`, or `aheadOfClock` for a record of the far future.
    mutating func flatRecord(_ object: JSON.Object, model: String, number: Int? = nil) throws -> RecordPayload {
        try nested { deserializer in
            let flat = try deserializer.flatShape(of: object, model)
            let values = flat.values(of: object)
            let createdAt = try deserializer.flatTime(values, at: flat.shape.createdAt, "created_at", model)
            let updatedAt = try deserializer.flatTime(values, at: flat.shape.updatedAt, "updated_at", model)
            return RecordPayload(
                shape: flat.shape,
                values: values,
                sideloads: try flat.sideloads.map { try deserializer.sideload($0, in: object) },
                createdAt: createdAt?.time,
                updatedAt: updatedAt?.time,
                timeUnit: (updatedAt ?? createdAt)?.unit ?? 1,
                origin: number.map { RecordPayload.Origin(number: $0, payload: object) }
            )
        }
    }

    private mutating func sideload(_ place: FlatShape.SideloadPlace, in object: JSON.Object) throws -> Sideload {
        var model = place.model
        if let type = place.type, case .string(let name) = object.members[type].value { model = name }
        let ids: [JSON] =
            switch object.members[place.ids].value {
            case .array(let ids): ids.filter { $0 != .null }
            case .null: []
            case let id: [id]
            }
        let found: [JSON] =
            switch object.members[place.member].value {
            case .array(let elements): elements
            case .null: []
            case let record: [record]
            }
        let records = try found.compactMap { element -> RecordPayload? in
            guard case .object(let record) = element else { return nil }
            return try flatRecord(record, model: model)
        }
        return Sideload(name: place.name, model: model, isToMany: place.isToMany, ids: ids, records: records)
    }

    /// A time by which records are compared; other programs may have something else under its name.
    private func flatTime(
        _ values: [JSON],
        at index: Int?,
        _ name: String,
        _ model: String
    ) throws -> (time: Timestamp, unit: Int64)? {
        guard let index, case .string(let text) = values[index], let time = Timestamp.reading(text) else { return nil }
        try horizon.check(time.time, "\(name) of a record of \(model.inMessage)")
        return time
    }
}
