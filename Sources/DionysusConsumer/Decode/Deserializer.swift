import Dionysus

/// Gives payloads the names they have here, and finds the records that came along in them.
///
/// One value serves one batch, so that the shapes it keeps are bounded by it.
struct Deserializer {
    /// How many levels of sideloaded records a payload may have: each takes room on the stack.
    private static let maximumNesting = 32
    /// How many new models a message may name: each is looked up in the database.
    private static let maximumNewModels = 100

    private let naming: Naming
    let horizon: Horizon
    private var shapes: [String: [RecordShape]] = [:]
    private var flatShapes: [String: [FlatShape]] = [:]
    private var nesting = 0
    /// The models that the current message is the first of the batch to name.
    private var newModels: Set<String> = []

    init(naming: Naming, horizon: Horizon) {
        self.naming = naming
        self.horizon = horizon
    }

    /// Begins with another message.
    mutating func start() { newModels.removeAll() }

    /// Reads a payload.
    /// - Parameters:
    ///   - object: The payload.
    ///   - model: The model's name on the wire.
    ///   - number: The record's number among all of its message; nil for one that came along in another's payload.
    /// - Throws: ``DionysusError`` with code `malformed`, or `aheadOfClock` for a record of the far future.
    mutating func record(_ object: JSON.Object, model: String, number: Int? = nil) throws -> RecordPayload {
        try nested { try $0.payload(object, model: model, number: number) }
    }

    /// Reads a record that may be inside others.
    mutating func nested(_ read: (inout Deserializer) throws -> RecordPayload) throws -> RecordPayload {
        guard nesting <= Self.maximumNesting else {
            throw DionysusError(.malformed, "records are sideloaded in more than \(Self.maximumNesting) levels")
        }
        nesting += 1
        defer { nesting -= 1 }
        return try read(&self)
    }

    private mutating func payload(_ object: JSON.Object, model: String, number: Int?) throws -> RecordPayload {
        try checkLinks(of: object, model)
        let shape = try shape(of: object, model)
        let values = shape.values(of: object)
        let createdAt = try time(values, at: shape.createdAt, "created_at", model)
        let updatedAt = try time(values, at: shape.updatedAt, "updated_at", model)
        return RecordPayload(
            shape: shape,
            values: values,
            sideloads: try sideloads(in: object, shape, model),
            createdAt: createdAt?.time,
            updatedAt: updatedAt?.time,
            timeUnit: (updatedAt ?? createdAt)?.unit ?? 1,
            origin: number.map { RecordPayload.Origin(number: $0, payload: object) }
        )
    }

    private mutating func shape(of object: JSON.Object, _ model: String) throws -> RecordShape {
        if let shape = shapes[model]?.first(where: { $0.matches(object) }) { return shape }
        let shape = RecordShape(object, naming)
        try note([model] + shape.sideloads.map(\.model))
        // A producer that never repeats itself would make every payload search a longer list.
        if shapes[model, default: []].count < 64 { shapes[model, default: []].append(shape) }
        return shape
    }

    /// How a record's members are named here.
    mutating func flatShape(of object: JSON.Object, _ model: String) throws -> FlatShape {
        if let shape = flatShapes[model]?.first(where: { $0.matches(object) }) { return shape }
        let shape = FlatShape(object, naming)
        try note([model] + shape.sideloads.map(\.model))
        if flatShapes[model, default: []].count < 64 { flatShapes[model, default: []].append(shape) }
        return shape
    }

    /// Notes models that the message is the first of the batch to name.
    private mutating func note(_ models: [String]) throws {
        newModels.formUnion(models)
        guard newModels.count <= Self.maximumNewModels else {
            throw DionysusError(.malformed, "a message tells of more than \(Self.maximumNewModels) models")
        }
    }

    private func checkLinks(of object: JSON.Object, _ model: String) throws {
        switch object["links"] {
        case nil, .null, .object, .array([]): return
        default: throw DionysusError(.malformed, "the links of a payload of \(model.inMessage) are not an object")
        }
    }

    private func time(
        _ values: [JSON],
        at index: Int?,
        _ name: String,
        _ model: String
    ) throws -> (time: Timestamp, unit: Int64)? {
        guard let index else { return nil }
        switch values[index] {
        case .null, .string(""): return nil
        case .string(let text):
            if let time = Timestamp.reading(text) {
                try horizon.check(time.time, "\(name) of a payload of \(model.inMessage)")
                return time
            }
            fallthrough
        default: throw DionysusError(.malformed, "\(name) of a payload of \(model.inMessage) is not an ISO 8601 time")
        }
    }

    private mutating func sideloads(
        in object: JSON.Object,
        _ shape: RecordShape,
        _ model: String
    ) throws -> [Sideload] {
        guard !shape.sideloads.isEmpty else { return [] }
        let links = shape.links(of: object)
        var sideloads: [Sideload] = []
        sideloads.reserveCapacity(shape.sideloads.count)
        for place in shape.sideloads {
            sideloads.append(try sideload(links[place.link], object.members[place.member].value, place.model, model))
        }
        return sideloads
    }

    private mutating func sideload(
        _ link: JSON.Object.Member,
        _ value: JSON,
        _ model: String,
        _ owner: String
    ) throws -> Sideload {
        switch (RecordShape.LinkKind(link.value), value) {
        case (.many, .array(let elements)):
            guard case .array(let ids) = link.value else { throw noSideload(link.name, owner) }
            let records = try elements.compactMap { element -> RecordPayload? in
                if element == .null { return nil }
                guard case .object(let object) = element else { throw noSideload(link.name, owner) }
                return try record(object, model: model)
            }
            return Sideload(name: link.name, model: model, isToMany: true, ids: ids.withoutNulls, records: records)
        case (.many, .null):
            guard case .array(let ids) = link.value else { throw noSideload(link.name, owner) }
            return Sideload(name: link.name, model: model, isToMany: true, ids: ids.withoutNulls, records: [])
        case (.one, .null), (.polymorphic, .null):
            let ids = link.value == .null ? [] : [link.value["id"] ?? link.value]
            return Sideload(name: link.name, model: model, ids: ids, records: [])
        case (.one, .object(let object)):
            return Sideload(
                name: link.name,
                model: model,
                ids: link.value == .null ? [] : [link.value],
                records: [try record(object, model: model)]
            )
        case (.polymorphic, .object(let object)):
            guard let id = link.value["id"], case .string(let model)? = link.value["type"] else {
                throw noSideload(link.name, owner)
            }
            return Sideload(name: link.name, model: model, ids: [id], records: [try record(object, model: model)])
        default: throw noSideload(link.name, owner)
        }
    }

    private func noSideload(_ name: String, _ owner: String) -> DionysusError {
        DionysusError(
            .malformed,
            "a payload of \(owner.inMessage) has a link and a member that don't fit together: \(name.inMessage)"
        )
    }
}

extension [JSON] {
    /// dionysus-rb lists null for a record that its serializer finds no id for.
    fileprivate var withoutNulls: [JSON] { contains(.null) ? filter { $0 != .null } : self }
}
