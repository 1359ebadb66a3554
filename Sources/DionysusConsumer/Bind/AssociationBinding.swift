import Dionysus

/// The records that come along in others, and what becomes of the members of their relationships.
extension Binder {
    mutating func sideload(
        _ sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency,
        _ part: inout Part
    ) throws -> BoundSideload? {
        if replicas.refused.contains(sideload.model) { draft.batch.refused += sideload.records.count }
        let resolution = try customResolution(of: sideload, of: parent, owner, recency)
        let delegated = delegated(of: sideload, in: part.message)
        let kept = try keptSideload(sideload, of: parent, owner, recency, &part)
        guard kept != nil || resolution != nil || !delegated.isEmpty else { return nil }
        var bound = kept ?? BoundSideload(records: [], resolution: nil)
        bound.customResolution = resolution
        bound.delegated = delegated
        return bound
    }

    /// The records that came along, where a closure of the application takes their model's.
    private func delegated(of sideload: Sideload, in message: DecodedMessage) -> [DelegatedEvent] {
        guard let handler = replicas.handlers[sideload.model] else { return [] }
        let name = EventName(Inflection.underscored(sideload.model), .updated)
        let event = DecodedEvent(name: name, model: sideload.model, records: sideload.records)
        return sideload.records.map { delegatedEvent($0, event, handler, standsAlone: false, in: message) }
    }

    private func customResolution(
        of sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency
    ) throws -> CustomResolution? {
        guard let resolver = owner.declaration.resolvers[sideload.name] else { return nil }
        let members = replicas.tables[sideload.model]
        let resolution = AssociationResolution(
            relationship: sideload.name,
            parent: LocalRecord(model: owner.model, id: try owner.id.value(for: parent)),
            memberModel: sideload.model,
            memberIDs: try sideload.ids.map { try members?.id.value(for: $0) ?? DatabaseValue(id: $0) },
            isToMany: sideload.isToMany,
            version: recency.version
        )
        return CustomResolution(resolution: resolution, resolver: resolver)
    }

    private mutating func keptSideload(
        _ sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency,
        _ part: inout Part
    ) throws -> BoundSideload? {
        let policy = owner.declaration.associations[sideload.name]
        if case .join(let table, let parentName, let memberName)? = policy {
            let joined = try joinedMembers(table, parentName, memberName, parent, sideload.ids)
            return BoundSideload(records: try records(of: sideload, recency, &part), resolution: .join(joined))
        }
        guard let table = draft.layout(of: sideload.model, in: replicas) else { return nil }
        guard case .replace(let foreignKey)? = policy else {
            return BoundSideload(records: try records(of: sideload, recency, &part), resolution: nil)
        }
        let resolution = try replacement(in: table, foreignKey, of: parent, by: sideload.ids)
        return BoundSideload(records: try records(of: sideload, recency, &part), resolution: resolution)
    }

    private mutating func replacement(
        in table: Int,
        _ foreignKey: String,
        of parent: JSON,
        by ids: [JSON]
    ) throws -> Resolution {
        let replica = draft.table(table)
        guard let column = replica.columns[foreignKey] else {
            throw DionysusError(.declaration, "table \(replica.name) has no column \(foreignKey) to replace members by")
        }
        return .replace(
            table: table,
            foreignKey: draft.batch.layouts[table].addForeignKey(column),
            parent: try column.value(for: parent),
            members: Set(try ids.map { try replica.id.value(for: $0) })
        )
    }

    private mutating func records(
        of sideload: Sideload,
        _ recency: Recency,
        _ part: inout Part
    ) throws -> [BoundRecord] {
        guard let layout = draft.layout(of: sideload.model, in: replicas) else { return [] }
        let table = draft.table(layout)
        return try sideload.records.compactMap { payload in
            if lacksID(payload, table, &part) { return nil }
            var own = recency
            own.time = payload.time
            own.timeUnit = payload.timeUnit
            own.columnUnit = table.timeUnit(of: payload)
            return try record(payload, .updated, layout, own, &part)
        }
    }

    private func joinedMembers(
        _ table: String,
        _ parentName: String,
        _ memberName: String,
        _ parent: JSON,
        _ members: [JSON]
    ) throws -> JoinedMembers {
        guard let description = replicas.joinTables[table], let parentColumn = description.column(parentName),
            let memberColumn = description.column(memberName)
        else {
            throw DionysusError(.declaration, "there is no join table \(table) with \(parentName) and \(memberName)")
        }
        let columns = (parent: ReplicaColumn(parentColumn), member: ReplicaColumn(memberColumn))
        return JoinedMembers(
            joinTable: table,
            parentColumn: columns.parent,
            memberColumn: columns.member,
            parent: try columns.parent.value(for: parent),
            members: try members.map { try columns.member.value(for: $0) }
        )
    }

    /// What goes with a record's row: its rows in join tables, and the members that the replica replaces.
    mutating func endings(of parent: JSON, _ owner: ReplicaTable) throws -> [BoundSideload] {
        var endings: [BoundSideload] = []
        for (relationship, policy) in owner.declaration.associations.sorted(by: { $0.key < $1.key }) {
            let resolution: Resolution
            switch policy {
            case .join(let table, let parentName, let memberName):
                resolution = .join(try joinedMembers(table, parentName, memberName, parent, []))
            case .replace(let foreignKey):
                guard let model = replicas.parts[owner.model]?[relationship],
                    let table = draft.layout(of: model, in: replicas)
                else {
                    continue
                }
                resolution = try replacement(in: table, foreignKey, of: parent, by: [])
            }
            endings.append(BoundSideload(records: [], resolution: resolution, endsWithParent: true))
        }
        return endings
    }
}

extension DatabaseValue {
    /// An id on the wire of a record that has no column here which would say its type.
    fileprivate init(id json: JSON) {
        self =
            switch json {
            case .null: .null
            case .integer(let value): .integer(value)
            case .string(let text): .text(text)
            default: .text(json.text)
            }
    }
}
