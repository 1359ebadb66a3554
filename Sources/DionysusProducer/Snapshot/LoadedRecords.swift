import Dionysus

/// The current state of a batch's records of one model, as one snapshot has it.
///
/// It is made, used and dropped within one call, so that decoded records can be kept without a lock.
final class LoadedRecords {
    /// The rows of one association, by the key of the record they belong to.
    private final class Targets {
        let plan: LoadPlan
        let rows: ResultSet
        let bySource: [DatabaseValue: [Int]]
        private var decoded: [Int: any Model] = [:]

        init(plan: LoadPlan, rows: ResultSet) {
            self.plan = plan
            self.rows = rows
            var bySource: [DatabaseValue: [Int]] = [:]
            for index in 0..<rows.count { bySource[rows[index, 0], default: []].append(index) }
            self.bySource = bySource
        }

        func record(_ index: Int) throws -> any Model {
            if let record = decoded[index] { return record }
            let record = try plan.model.decode(Row(result: rows, index: index))
            decoded[index] = record
            return record
        }
    }

    private let plan: LoadPlan
    private let encoder: JSONTreeEncoder
    private let rows: ResultSet
    private let rowByID: [String: Int]
    private let targets: [AssociationDescription: Targets]
    private var payloads: [String: [UInt8]] = [:]

    /// Takes the results of ``LoadPlan/queries(ids:dialect:)``.
    init(plan: LoadPlan, results: ArraySlice<ResultSet>, encoder: JSONTreeEncoder) {
        self.plan = plan
        self.encoder = encoder
        rows = results.first ?? ResultSet(columns: [], cells: [], affectedRows: 0)
        let key = rows.index(of: plan.model.primaryKey) ?? 0
        var rowByID: [String: Int] = [:]
        for index in 0..<rows.count { rowByID[rows[index, key].primaryKeyText] = index }
        self.rowByID = rowByID
        targets = Dictionary(
            uniqueKeysWithValues: zip(plan.edges, results.dropFirst())
                .map { edge, result in
                    (edge.association, Targets(plan: edge.target, rows: result))
                }
        )
    }

    /// Whether a record exists, and if so, whether it is visible.
    enum State {
        case gone
        case softDeleted
        case visible
    }

    func state(of id: String) -> State {
        guard let index = rowByID[id] else { return .gone }
        guard let column = plan.softDeleteColumn else { return .visible }
        return Row(result: rows, index: index)[column].isNull ? .visible : .softDeleted
    }

    /// The payload of a record as JSON, made once however many rows of the outbox are about it.
    /// - Parameter id: The record's primary key, as the outbox has it.
    func payload(of id: String) throws -> [UInt8] {
        if let payload = payloads[id] { return payload }
        let payload = JSON.object(try object(of: id)).bytes
        payloads[id] = payload
        return payload
    }

    private func object(of id: String) throws -> JSON.Object {
        guard let index = rowByID[id] else {
            let key = DatabaseValue(primaryKey: id, type: plan.primaryKeyType)
            return [plan.model.primaryKey: JSON(databaseValue: key), "links": .object([:])]
        }
        let row = Row(result: rows, index: index)
        var related: [AssociationDescription: [any Model]] = [:]
        for load in plan.serializer.loads {
            guard let targets = targets[load] else { continue }
            related[load] = try targetRows(of: row, load).map { try targets.record($0) }
        }
        let record = try plan.model.decode(row)
        var members = try plan.serializer.attributes(record, related, encoder)
        members.append(.init("links", .object(links(of: row, plan.serializer))))
        for relationship in plan.serializer.relationships where plan.sideloads.contains(relationship.name) {
            members.append(.init(relationship.name, try sideload(relationship.association, of: row)))
        }
        return JSON.Object(members)
    }

    private func links(of row: Row, _ serializer: SerializerPlan) -> JSON.Object {
        JSON.Object(
            serializer.relationships.map { relationship in
                JSON.Object.Member(relationship.name, link(relationship.association, of: row))
            }
        )
    }

    private func link(_ association: AssociationDescription, of row: Row) -> JSON {
        if association.isBelongsTo { return JSON(databaseValue: row[association.hops[0].column]) }
        let key = association.target.primaryKey
        let ids = (targets[association])
            .map { targets in
                targetRows(of: row, association).map { JSON(databaseValue: Row(result: targets.rows, index: $0)[key]) }
            }
        return association.isToMany ? .array(ids ?? []) : ids?.first ?? .null
    }

    private func sideload(_ association: AssociationDescription, of row: Row) throws -> JSON {
        guard let targets = targets[association] else { return .null }
        let payloads = try targetRows(of: row, association)
            .map { index in
                var members = try targets.plan.serializer.attributes(targets.record(index), [:], encoder)
                let links = links(of: Row(result: targets.rows, index: index), targets.plan.serializer)
                members.append(.init("links", .object(links)))
                return JSON.object(JSON.Object(members))
            }
        return association.isToMany ? .array(payloads) : payloads.first ?? .null
    }

    private func targetRows(of row: Row, _ association: AssociationDescription) -> [Int] {
        let column = association.isBelongsTo ? association.hops[0].column : plan.model.primaryKey
        return targets[association]?.bySource[row[column]] ?? []
    }
}
