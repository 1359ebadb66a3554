public import Dionysus

extension ModelSerializer {
    /// The payload of a record, without any database.
    ///
    ///     let payload = try RentalSerializer().payload(of: rental, related: Related().adding(Rental.account, account))
    ///     #expect(payload["check_in_time"] == .integer(15))
    ///     #expect(payload["links"]?["account"] == .integer(1))
    ///
    /// Links that the record does not hold itself, and what computations ask for, come from `related`: what isn't
    /// there is a link without records. Dependencies are sideloaded as they are for a publication; what belongs to a
    /// sideloaded record itself is not known here.
    /// - Parameters:
    ///   - record: The record.
    ///   - related: The records it is associated with.
    ///   - dependencies: What to sideload. Their records are written by `serializers`.
    ///   - serializers: The serializers of sideloaded records.
    ///   - fractionDigits: How many digits the fractions of times have, from 0 to 6. Default 6.
    ///   - wire: How numbers, times and texts are written; ``WireStyle/dionysusRb`` has at most 3 digits in times.
    /// - Returns: The payload as a JSON object.
    /// - Throws: What a computation throws; ``DionysusError`` with code `application` when it asks for records that
    ///   `related` lacks, and with code `declaration` for a sideloaded model without a serializer.
    public func payload(
        of record: Record,
        related: Related<Record> = Related(),
        with dependencies: any Dependency<Record>...,
        serializers: Serializers = Serializers {},
        fractionDigits: Int = 6,
        wire: WireStyle = .dionysus
    ) throws -> JSON {
        let encoder = wire.encoder(fractionDigits)
        let sideloads = Set(dependencies.flatMap(\.dependencies).map(\.association))
        return .object(
            try SerializerPlan(self).payload(of: record, related.targets, sideloading: sideloads, serializers, encoder)
        )
    }
}

extension SerializerPlan {
    fileprivate func payload(
        of record: any Model,
        _ targets: Targets,
        sideloading sideloads: Set<AssociationDescription>,
        _ serializers: Serializers,
        _ encoder: JSONTreeEncoder
    ) throws -> JSON.Object {
        let columns = try encoder.encodeObject(record)
        let chosen = chosen(for: columns)
        let relationships = chosen.relationships
        var members = try chosen.attributes(of: record, targets, encoder)
        let links = try relationships.map { relationship in
            let computed = try relationship.link.map { try $0(record, targets, encoder) }
            return JSON.Object.Member(
                relationship.name,
                try computed ?? relationship.link(columns: columns, targets, encoder)
            )
        }
        members.append(.init("links", .object(JSON.Object(links))))
        for (relationship, link) in zip(relationships, links)
        where relationship.branches.contains(where: sideloads.contains) {
            let found = try relationship.branches.flatMap { targets[$0] ?? [] }
                .map { target -> (id: JSON, payload: [UInt8]) in
                    let model = ModelDescription(type(of: target))
                    guard let serializer = serializers.serializer(of: model) else {
                        throw DionysusError(.declaration, "\(model)\(Serializers.missing(for: model))")
                    }
                    let payload = try SerializerPlan(serializer)
                        .payload(of: target, [], sideloading: [], serializers, encoder)
                    let id = try encoder.encodeObject(target)[model.primaryKey] ?? .null
                    return (id, JSON.object(payload).bytes)
                }
            var writer = JSONWriter()
            relationship.write(sideload: found, linkedBy: link.value, into: &writer)
            members.append(.init(relationship.name, try JSON(parsing: writer.bytes)))
        }
        return JSON.Object(members)
    }

    private func attributes(
        of record: any Model,
        _ targets: Targets,
        _ encoder: JSONTreeEncoder
    ) throws -> [JSON.Object.Member] {
        var writer = JSONWriter()
        writer.literal("{")
        try writeAttributes(record, targets, MemberEncoder(encoder), &writer)
        guard writer.bytes.count > 1 else { return [] }
        guard case .object(let object) = try JSON(parsing: writer.bytes.dropLast() + [UInt8(ascii: "}")]) else {
            return []
        }
        return object.members
    }
}

extension SerializerPlan.Relationship {
    /// The link as the record's own columns and its associated records give it.
    fileprivate func link(
        columns: JSON.Object,
        _ targets: SerializerPlan.Targets,
        _ encoder: JSONTreeEncoder
    ) throws -> JSON {
        guard let association = branches.first else { return .null }
        let hop = association.hops[0]
        if isPolymorphic {
            guard let id = columns[hop.column], id != .null,
                let type = hop.condition.flatMap({ columns[$0.column] }), type != .null
            else { return .null }
            return .object(["id": id, "type": type])
        }
        if association.isBelongsTo { return columns[hop.column] ?? .null }
        let ids = try (targets[association] ?? [])
            .map { target in
                try encoder.encodeObject(target)[association.target.primaryKey] ?? .null
            }
        return isToMany ? .array(ids) : ids.first ?? .null
    }
}

extension JSONTreeEncoder {
    /// A record as it encodes itself.
    func encodeObject(_ record: any Model) throws -> JSON.Object {
        guard case .object(let object) = try encode(record: record) else { return [:] }
        return object
    }
}
