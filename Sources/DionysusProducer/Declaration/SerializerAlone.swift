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
    /// sideloaded record itself is not known here, and neither is what a database computes.
    /// - Parameters:
    ///   - record: The record.
    ///   - related: The records it is associated with.
    ///   - dependencies: What to sideload. Their records are written by `serializers`.
    ///   - serializers: The serializers of sideloaded records.
    ///   - fractionDigits: How many digits the fractions of times have, from 0 to 6. Default 6.
    ///   - wire: How numbers, times and texts are written; ``WireStyle/dionysusRb`` has at most 3 digits in times.
    /// - Returns: The payload as a JSON object.
    /// - Throws: What a computation throws; ``/Dionysus/DionysusError`` with code `application` when it asks for records that
    ///   `related` lacks, or when an attribute is SQL, and with code `declaration` for a sideloaded model without a serializer.
    public func payload(
        of record: Record,
        related: Related<Record> = Related(),
        with dependencies: any Dependency<Record>...,
        serializers: Serializers = Serializers {},
        fractionDigits: Int = 6,
        wire: WireStyle = .dionysus
    ) throws -> JSON {
        let sideloads = Set(dependencies.flatMap(\.dependencies).map(\.association))
        return try JSON(
            parsing: SerializerPlan(self)
                .payload(
                    of: record,
                    related.targets,
                    sideloading: sideloads,
                    serializers,
                    wire.encoder(fractionDigits)
                )
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
    ) throws -> [UInt8] {
        let source = GivenRecords(
            columns: try encoder.encodeObject(record),
            targets: targets,
            sideloads: sideloads,
            serializers: serializers,
            encoder: encoder
        )
        var writer = JSONWriter()
        try chosen(for: source.columns).writePayload(of: record, from: source, MemberEncoder(encoder), into: &writer)
        return writer.bytes
    }
}

/// A record and the records that were given with it.
private struct GivenRecords: PayloadSource {
    /// The record as it encodes itself.
    let columns: JSON.Object
    let targets: SerializerPlan.Targets
    let sideloads: Set<AssociationDescription>
    let serializers: Serializers
    let encoder: JSONTreeEncoder

    func related(for serializer: SerializerPlan) -> SerializerPlan.Targets { targets }

    func sqlValues(for serializer: SerializerPlan) -> SQLValues { .none }

    func link(_ relationship: SerializerPlan.Relationship) throws -> JSON {
        guard let association = relationship.branches.first else { return .null }
        let hop = association.hops[0]
        if relationship.isPolymorphic {
            guard let id = columns[hop.column], id != .null,
                let type = hop.condition.flatMap({ columns[$0.column] }), type != .null
            else { return .null }
            return .object(["id": id, "type": type])
        }
        if association.isBelongsTo { return columns[hop.column] ?? .null }
        let ids = try (targets[association] ?? []).map { try key(of: $0, association.target) }
        return relationship.isToMany ? .array(ids) : ids.first ?? .null
    }

    func isSideloaded(_ relationship: SerializerPlan.Relationship) -> Bool {
        relationship.branches.contains(where: sideloads.contains)
    }

    func sideload(_ relationship: SerializerPlan.Relationship) throws -> [(id: JSON, payload: [UInt8])] {
        try relationship.branches.flatMap { targets[$0] ?? [] }
            .map { target in
                let model = ModelDescription(type(of: target))
                guard let plan = serializers.plan(of: model) else {
                    throw DionysusError(.declaration, "\(model)\(Serializers.missing(for: model))")
                }
                let payload = try plan.payload(of: target, [], sideloading: [], serializers, encoder)
                return (try key(of: target, model), payload)
            }
    }

    func failure(_ error: any Error) -> any Error { error }

    private func key(of record: any Model, _ model: ModelDescription) throws -> JSON {
        try encoder.encodeObject(record)[model.primaryKey] ?? .null
    }
}

extension JSONTreeEncoder {
    /// A record as it encodes itself.
    func encodeObject(_ record: any Model) throws -> JSON.Object {
        guard case .object(let object) = try encode(record: record) else { return [:] }
        return object
    }
}
