import Dionysus

/// The rows of one node of a ``LoadPlan``, and below it those of the nodes it leads to.
///
/// It is made, used and dropped within one call, so that decoded records can be kept without a lock.
final class LoadedRows {
    let plan: LoadPlan
    private let rows: ResultSet
    private let encoder: MemberEncoder
    /// The rows by the key of the record they belong to; empty for the records themselves.
    private let bySource: [DatabaseValue: [Int]]
    private let targets: [(association: AssociationDescription, rows: LoadedRows)]
    /// Whether the records are there for others that they are linked to.
    private let isLinked: Bool
    private var decoded: [(any Model)?]

    /// Takes the results of ``LoadPlan/queries(ids:dialect:)``.
    convenience init(plan: LoadPlan, results: ArraySlice<ResultSet>, encoder: JSONTreeEncoder) {
        var rest = results
        self.init(plan, &rest, encoder, hasSource: false)
    }

    private init(
        _ plan: LoadPlan,
        _ rest: inout ArraySlice<ResultSet>,
        _ encoder: JSONTreeEncoder,
        hasSource: Bool
    ) {
        self.plan = plan
        isLinked = hasSource
        self.encoder = MemberEncoder(encoder)
        rows = rest.popFirst() ?? ResultSet(columns: [], cells: [], affectedRows: 0)
        var bySource: [DatabaseValue: [Int]] = [:]
        if hasSource {
            for index in 0..<rows.count { bySource[rows[index, 0], default: []].append(index) }
        }
        self.bySource = bySource
        decoded = Array(repeating: nil, count: rows.count)
        var targets: [(association: AssociationDescription, rows: LoadedRows)] = []
        for edge in plan.edges {
            targets.append((edge.association, LoadedRows(edge.target, &rest, encoder, hasSource: true)))
        }
        self.targets = targets
    }

    /// How many rows there are.
    var count: Int { rows.count }

    private func targets(of association: AssociationDescription) -> LoadedRows? {
        targets.first { $0.association == association }?.rows
    }

    /// The places of the rows, by the text of their primary keys.
    func places() -> [String: Int] {
        let key = rows.index(of: plan.model.primaryKey) ?? 0
        var places: [String: Int] = [:]
        places.reserveCapacity(rows.count)
        for index in 0..<rows.count { places[plan.key.canonical(rows[index, key].primaryKeyText)] = index }
        return places
    }

    func row(_ index: Int) -> Row { Row(result: rows, index: index) }

    func record(_ index: Int) throws -> any Model {
        if let record = decoded[index] { return record }
        do {
            let record = try plan.model.decode(row(index))
            decoded[index] = record
            return record
        } catch {
            throw isLinked ? failure(index, error) : error
        }
    }

    /// An error of a linked record, which names that.
    private func failure(_ index: Int, _ error: any Error) -> DionysusError {
        let id = plan.key.canonical(row(index)[plan.model.primaryKey].primaryKeyText)
        return DionysusError(.application, "\(plan.model.name):\(id): \(error.summary)", underlying: error)
    }

    /// Writes the payload of a row's record: attributes, links, sideloads.
    func writePayload(_ index: Int, into writer: inout JSONWriter) throws {
        let row = row(index)
        let record = try record(index)
        let serializer = plan.serializer.chosen(for: row)
        let related = try related(to: row, for: serializer)
        let relationships = serializer.relationships
        writer.literal("{")
        do { try serializer.writeAttributes(record, related, encoder, &writer) } catch {
            throw isLinked ? failure(index, error) : error
        }
        writer.literal("\"links\":{")
        var links: [JSON] = []
        for relationship in relationships {
            let computed = try relationship.link.map { try $0(record, related, encoder.values) }
            let link = computed ?? link(relationship, of: row)
            if !links.isEmpty { writer.literal(",") }
            writer.append(relationship.memberName)
            writer.write(link)
            links.append(link)
        }
        writer.literal("}")
        for (relationship, link) in zip(relationships, links)
        where relationship.branches.contains(where: plan.sideloads.contains) {
            writer.literal(",")
            writer.append(relationship.memberName)
            relationship.write(sideload: try sideload(relationship, of: row), linkedBy: link, into: &writer)
        }
        writer.literal("}")
    }

    /// What the serializer's computations may ask for.
    private func related(to row: Row, for serializer: SerializerPlan) throws -> SerializerPlan.Targets {
        var related: SerializerPlan.Targets = []
        for load in serializer.loads {
            guard let targets = targets(of: load) else { continue }
            related.append((load, try targetRows(of: row, load).map { try targets.record($0) }))
        }
        return related
    }

    private func link(_ relationship: SerializerPlan.Relationship, of row: Row) -> JSON {
        guard let association = relationship.branches.first else { return .null }
        let hop = association.hops[0]
        if relationship.isPolymorphic {
            guard let column = hop.condition?.column, !row[column].isNull, !row[hop.column].isNull else { return .null }
            let type = row[column]
            let branch = relationship.branches.first { $0.hops[0].condition?.value == type.primaryKeyText }
            return .object([
                "id": linkedKey(branch ?? association, row[hop.column]), "type": JSON(databaseValue: type),
            ])
        }
        if association.isBelongsTo { return linkedKey(association, row[hop.column]) }
        let ids = targets(of: association)
            .map { targets in targetRows(of: row, association).map(targets.id) }
        return association.isToMany ? .array(ids ?? []) : ids?.first ?? .null
    }

    /// The payloads of the linked records.
    private func sideload(_ relationship: SerializerPlan.Relationship, of row: Row) throws -> [(
        id: JSON, payload: [UInt8]
    )] {
        try relationship.branches.flatMap { branch in
            try targets(of: branch)
                .map { rows in
                    try targetRows(of: row, branch)
                        .map { index in
                            var writer = JSONWriter(capacity: 256)
                            try rows.writePayload(index, into: &writer)
                            return (id: rows.id(index), payload: writer.bytes)
                        }
                } ?? []
        }
    }

    private func linkedKey(_ association: AssociationDescription, _ value: DatabaseValue) -> JSON {
        plan.linkedKeys[association].map { $0.json(value) } ?? JSON(databaseValue: value)
    }

    private func id(_ index: Int) -> JSON { plan.key.json(row(index)[plan.model.primaryKey]) }

    private func targetRows(of row: Row, _ association: AssociationDescription) -> [Int] {
        guard let targets = targets(of: association) else { return [] }
        let hop = association.hops[0]
        guard association.isBelongsTo else {
            let found = targets.bySource[row[plan.model.primaryKey]] ?? []
            // Several ways may lead through the tables between to one record.
            return association.hops.count > 1 ? targets.withoutRepetitions(found) : found
        }
        if let condition = hop.condition, row[condition.column].primaryKeyText != condition.value { return [] }
        return targets.bySource[row[hop.column]] ?? []
    }

    private func withoutRepetitions(_ indexes: [Int]) -> [Int] {
        var seen: Set<DatabaseValue> = []
        return indexes.filter { seen.insert(row($0)[plan.model.primaryKey]).inserted }
    }
}
