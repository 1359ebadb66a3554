import Dionysus

/// The rows of one node of a ``LoadPlan``, and below it those of the nodes it leads to.
///
/// It is made, used and dropped within one call, so that decoded records can be kept without a lock.
final class LoadedRows {
    let plan: LoadPlan
    private let rows: ResultSet
    let encoder: MemberEncoder
    /// The values of the last record that was looked at as values.
    let values: MemberValues
    /// The rows by the key of the record they belong to; empty for the records themselves.
    private let bySource: [DatabaseValue: [Int]]
    private let targets: [(association: AssociationDescription, rows: LoadedRows)]
    /// Whether the records are there for others that they are linked to.
    let isLinked: Bool
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
        values = MemberValues(encoder)
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

    func targets(of association: AssociationDescription) -> LoadedRows? {
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
    func failure(_ index: Int, _ error: any Error) -> DionysusError {
        let id = plan.key.canonical(row(index)[plan.model.primaryKey].primaryKeyText)
        return DionysusError(.application, "\(plan.model.name):\(id): \(error.summary)", underlying: error)
    }

    /// Writes the payload of a row's record.
    func writePayload(_ index: Int, into writer: inout JSONWriter) throws {
        let row = row(index)
        try plan.serializer.chosen(for: row)
            .writePayload(
                of: record(index),
                from: LoadedRow(rows: self, row: row, index: index),
                encoder,
                into: &writer
            )
    }

    func linkedKey(_ association: AssociationDescription, _ value: DatabaseValue) -> JSON {
        plan.linkedKeys[association].map { $0.json(value) } ?? JSON(databaseValue: value)
    }

    func id(_ index: Int) -> JSON { plan.key.json(row(index)[plan.model.primaryKey]) }

    func targetRows(of row: Row, _ association: AssociationDescription) -> [Int] {
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

/// One of the rows, with what leads from it to the records of its payload.
struct LoadedRow: PayloadSource {
    let rows: LoadedRows
    let row: Row
    let index: Int

    func related(for serializer: SerializerPlan) throws -> SerializerPlan.Targets {
        var related: SerializerPlan.Targets = []
        for load in serializer.loads {
            guard let targets = rows.targets(of: load) else { continue }
            related.append((load, try rows.targetRows(of: row, load).map { try targets.record($0) }))
        }
        return related
    }

    func sqlValues(for serializer: SerializerPlan) -> SQLValues { serializer.sqlValues(row) }

    func link(_ relationship: SerializerPlan.Relationship) -> JSON {
        guard let association = relationship.branches.first else { return .null }
        let hop = association.hops[0]
        if relationship.isPolymorphic {
            guard let column = hop.condition?.column, !row[column].isNull, !row[hop.column].isNull else { return .null }
            let type = row[column]
            let branch = relationship.branches.first { $0.hops[0].condition?.value == type.primaryKeyText }
            return .object([
                "id": rows.linkedKey(branch ?? association, row[hop.column]), "type": JSON(databaseValue: type),
            ])
        }
        if association.isBelongsTo { return rows.linkedKey(association, row[hop.column]) }
        let ids = rows.targets(of: association)
            .map { targets in rows.targetRows(of: row, association).map(targets.id) }
        return association.isToMany ? .array(ids ?? []) : ids?.first ?? .null
    }

    func isSideloaded(_ relationship: SerializerPlan.Relationship) -> Bool {
        relationship.branches.contains(where: rows.plan.sideloads.contains)
    }

    func sideload(_ relationship: SerializerPlan.Relationship) throws -> [(id: JSON, payload: [UInt8])] {
        try sideload(relationship) { targets, index in
            var writer = JSONWriter(capacity: 256)
            try targets.writePayload(index, into: &writer)
            return writer.bytes
        }
    }

    /// - Parameter payload: Makes the payload of a row.
    func sideload(
        _ relationship: SerializerPlan.Relationship,
        _ payload: (LoadedRows, Int) throws -> [UInt8]
    ) throws -> [(id: JSON, payload: [UInt8])] {
        try relationship.branches.flatMap { branch -> [(id: JSON, payload: [UInt8])] in
            guard let targets = rows.targets(of: branch) else { return [] }
            return try rows.targetRows(of: row, branch)
                .map { index in (id: targets.id(index), payload: try payload(targets, index)) }
        }
    }

    func failure(_ error: any Error) -> any Error { rows.isLinked ? rows.failure(index, error) : error }
}
