import Dionysus

/// The rows of one node of a ``LoadPlan``, and below it those of the nodes it leads to.
///
/// It is made, used and dropped within one call, so that decoded records can be kept without a lock.
final class LoadedRows {
    let plan: LoadPlan
    private let rows: ResultSet
    private let encoder: JSONTreeEncoder
    /// The rows by the key of the record they belong to; empty for the records themselves.
    private let bySource: [DatabaseValue: [Int]]
    private let targets: [AssociationDescription: LoadedRows]
    private var decoded: [Int: any Model] = [:]

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
        self.encoder = encoder
        rows = rest.popFirst() ?? ResultSet(columns: [], cells: [], affectedRows: 0)
        var bySource: [DatabaseValue: [Int]] = [:]
        if hasSource {
            for index in 0..<rows.count { bySource[rows[index, 0], default: []].append(index) }
        }
        self.bySource = bySource
        var targets: [AssociationDescription: LoadedRows] = [:]
        for edge in plan.edges {
            targets[edge.association] = LoadedRows(edge.target, &rest, encoder, hasSource: true)
        }
        self.targets = targets
    }

    /// The places of the rows, by the text of their primary keys.
    func places() -> [String: Int] {
        let key = rows.index(of: plan.model.primaryKey) ?? 0
        var places: [String: Int] = [:]
        for index in 0..<rows.count { places[rows[index, key].primaryKeyText] = index }
        return places
    }

    func row(_ index: Int) -> Row { Row(result: rows, index: index) }

    func record(_ index: Int) throws -> any Model {
        if let record = decoded[index] { return record }
        let record = try plan.model.decode(row(index))
        decoded[index] = record
        return record
    }

    /// The payload of a row's record: attributes, links, sideloads.
    func payload(_ index: Int) throws -> JSON.Object {
        let row = row(index)
        let record = try record(index)
        let related = try related(to: row)
        var members = try plan.serializer.attributes(record, related, encoder)
        let links = try plan.serializer.relationships.map { relationship in
            let computed = try relationship.link.map { try $0(record, related, encoder) }
            return JSON.Object.Member(relationship.name, computed ?? link(relationship, of: row))
        }
        members.append(.init("links", .object(JSON.Object(links))))
        for (relationship, link) in zip(plan.serializer.relationships, links)
        where relationship.branches.contains(where: plan.sideloads.contains) {
            members.append(.init(relationship.name, try sideload(relationship, link.value, of: row)))
        }
        return JSON.Object(members)
    }

    /// What the serializer's computations may ask for.
    private func related(to row: Row) throws -> SerializerPlan.Targets {
        var related: SerializerPlan.Targets = [:]
        for load in plan.serializer.loads {
            guard let targets = targets[load] else { continue }
            related[load] = try targetRows(of: row, load).map { try targets.record($0) }
        }
        return related
    }

    private func link(_ relationship: SerializerPlan.Relationship, of row: Row) -> JSON {
        guard let association = relationship.branches.first else { return .null }
        let hop = association.hops[0]
        if relationship.isPolymorphic {
            guard let column = hop.condition?.column, !row[column].isNull, !row[hop.column].isNull else { return .null }
            return .object(["id": JSON(databaseValue: row[hop.column]), "type": JSON(databaseValue: row[column])])
        }
        if association.isBelongsTo { return JSON(databaseValue: row[hop.column]) }
        let ids = targets[association]
            .map { targets in targetRows(of: row, association).map(targets.id) }
        return association.isToMany ? .array(ids ?? []) : ids?.first ?? .null
    }

    /// The payloads of the linked records.
    private func sideload(_ relationship: SerializerPlan.Relationship, _ link: JSON, of row: Row) throws -> JSON {
        let found = try relationship.branches.flatMap { branch in
            try targets[branch]
                .map { rows in
                    try targetRows(of: row, branch)
                        .map { index in (id: rows.id(index), payload: JSON.object(try rows.payload(index))) }
                } ?? []
        }
        return relationship.sideload(found, linkedBy: link)
    }

    private func id(_ index: Int) -> JSON { JSON(databaseValue: row(index)[plan.model.primaryKey]) }

    private func targetRows(of row: Row, _ association: AssociationDescription) -> [Int] {
        guard let targets = targets[association] else { return [] }
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
