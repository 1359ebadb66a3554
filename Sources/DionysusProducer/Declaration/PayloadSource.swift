import Dionysus

/// Where a payload's parts come from that the record itself doesn't hold.
protocol PayloadSource {
    /// The records that computations ask for.
    func related(for serializer: SerializerPlan) throws -> SerializerPlan.Targets

    /// The link that an association gives.
    func link(_ relationship: SerializerPlan.Relationship) throws -> JSON

    /// What the database has computed for the record.
    func sqlValues(for serializer: SerializerPlan) -> SQLValues

    /// Whether the records that a link leads to are written into the payload too.
    func isSideloaded(_ relationship: SerializerPlan.Relationship) -> Bool

    /// The payloads of those records.
    func sideload(_ relationship: SerializerPlan.Relationship) throws -> [(id: JSON, payload: [UInt8])]

    /// What is thrown when an attribute can't be written.
    func failure(_ error: any Error) -> any Error
}

extension SerializerPlan {
    /// Writes the payload of a record: attributes, links, sideloads.
    func writePayload(
        of record: any Model,
        from source: some PayloadSource,
        _ encoder: MemberEncoder,
        into writer: inout JSONWriter
    ) throws {
        let related = try source.related(for: self)
        writer.literal("{")
        do {
            try writeAttributes(record, related, source.sqlValues(for: self), encoder, &writer)
        } catch {
            throw source.failure(error)
        }
        writer.literal("\"links\":{")
        var links: [JSON] = []
        for relationship in relationships {
            let computed = try relationship.link.map { try $0(record, related, encoder.values) }
            let link = try computed ?? source.link(relationship)
            if !links.isEmpty { writer.literal(",") }
            writer.append(relationship.memberName)
            writer.write(link)
            links.append(link)
        }
        writer.literal("}")
        for (relationship, link) in zip(relationships, links) where source.isSideloaded(relationship) {
            writer.literal(",")
            writer.append(relationship.memberName)
            relationship.write(sideload: try source.sideload(relationship), linkedBy: link, into: &writer)
        }
        writer.literal("}")
    }
}
