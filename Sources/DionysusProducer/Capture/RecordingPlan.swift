import Dionysus

/// Which rows a change of a model becomes: one per topic that publishes the model or what it is a part of, and one about
/// what others observe of it.
struct RecordingPlan {
    /// A row to be written.
    struct Row {
        let modelName: String
        let id: String
        let event: EventName
        let topic: String
        let partitionKey: String?
        let changeset: JSON?
    }

    /// A topic, and what the model is in it.
    private struct TopicRole {
        let topic: String
        /// Whether the model itself is published, and not only others of which it is a part.
        var isPublished = false
        /// The attribute whose value is the partition key.
        var partitionKey: String?
        /// The partition key of all rows, where only the relay can compute it.
        var partitionKeyConstant: String?
        /// The columns whose last values a deletion keeps.
        var keptColumns: [String] = []
        /// The columns by which the records that it is a part of are found.
        var foreignKeys: [String] = []
    }

    private let model: ModelDescription
    private var roles: [TopicRole] = []
    private let observed: Set<String>

    init(_ model: ModelDescription, _ registry: Registry) {
        self.model = model
        observed = Set(
            registry.publications.flatMap(\.observations).filter { $0.model == model }.flatMap(\.columns)
        )
        for publication in registry.publications {
            let foreignKeys = publication.dependencies.filter { $0.target == model }
                .flatMap { Self.foreignKeys(of: $0, model) }
            let isPublished = publication.model == model
            guard isPublished || publication.dependencies.contains(where: { $0.target == model }) else { continue }
            let index = roles.firstIndex { $0.topic == publication.topic } ?? roles.endIndex
            if index == roles.endIndex { roles.append(TopicRole(topic: publication.topic)) }
            roles[index].foreignKeys += foreignKeys
            if isPublished {
                roles[index].isPublished = true
                roles[index].keptColumns = publication.partitionKey.keptColumns
                if case .column(let column) = publication.partitionKey { roles[index].partitionKey = column }
                roles[index].partitionKeyConstant = publication.partitionKey.constant(forTopic: publication.topic)
            }
        }
    }

    /// The columns of the dependency itself that lead to what it is a part of.
    private static func foreignKeys(of dependency: AssociationDescription, _ model: ModelDescription) -> [String] {
        guard let last = dependency.hops.last else { return [] }
        var columns = [last.otherColumn]
        if let condition = last.condition, condition.side == .target { columns.append(condition.column) }
        return columns.filter { $0 != model.primaryKey }
    }

    func rows(for change: CapturedChange, _ cipher: ChangesetCipher) throws -> [Row] {
        try roles.compactMap { try row(for: change, $0, cipher) } + [observedRow(for: change)].compactMap(\.self)
    }

    private func row(for change: CapturedChange, _ role: TopicRole, _ cipher: ChangesetCipher) throws -> Row? {
        // What happens to a soft-deleted record still concerns what it is a part of.
        guard let event = change.change ?? (role.isPublished ? nil : .updated) else { return nil }
        let name = EventName(model.singular, event)
        let place = ChangesetCipher.Row(
            modelName: model.name,
            recordID: change.id,
            eventName: name.description,
            topic: role.topic
        )
        return Row(
            modelName: model.name,
            id: change.id,
            event: name,
            topic: role.topic,
            partitionKey: role.partitionKey.flatMap { change.text(of: $0) } ?? role.partitionKeyConstant,
            changeset: try changeset(of: change, role, place, cipher)
        )
    }

    /// The row about observed columns, which has their names and no values.
    private func observedRow(for change: CapturedChange) -> Row? {
        guard change.old != nil, change.new != nil else { return nil }
        let changed = change.changedColumns.filter(observed.contains)
        guard !changed.isEmpty else { return nil }
        return Row(
            modelName: model.name,
            id: change.id,
            event: EventName(model.singular, .updated),
            topic: OutboxRow.observerTopic,
            partitionKey: nil,
            changeset: .object(JSON.Object(changed.map { .init($0, .null) }))
        )
    }

    // MARK: Polled records

    /// The columns that partition keys are taken from.
    var partitionKeyColumns: [String] { roles.compactMap(\.partitionKey).withoutRepetitions }

    /// The topics in which the model itself is published, with the partition key that a record has in each.
    func partitionKeys(of record: PolledRecord) -> [(topic: String, partitionKey: String?)] {
        roles.filter(\.isPublished).map { ($0.topic, partitionKey(of: record, $0)) }
    }

    /// The rows of a record that has been found changed, though not in what.
    func rows(for record: PolledRecord) -> [Row] {
        let updated = EventName(model.singular, .updated)
        var rows = roles.map { role in
            Row(
                modelName: model.name,
                id: record.id,
                event: record.isVisible || !role.isPublished ? updated : EventName(model.singular, .destroyed),
                topic: role.topic,
                partitionKey: partitionKey(of: record, role),
                changeset: nil
            )
        }
        if !observed.isEmpty {
            let changeset = JSON.object(JSON.Object(observed.sorted().map { .init($0, .null) }))
            rows.append(
                Row(
                    modelName: model.name,
                    id: record.id,
                    event: updated,
                    topic: OutboxRow.observerTopic,
                    partitionKey: nil,
                    changeset: changeset
                )
            )
        }
        return rows
    }

    /// The row of a record that is gone from its table.
    func deletion(of id: String, topic: String, partitionKey: String?) -> Row {
        Row(
            modelName: model.name,
            id: id,
            event: EventName(model.singular, .destroyed),
            topic: topic,
            partitionKey: partitionKey,
            changeset: nil
        )
    }

    private func partitionKey(of record: PolledRecord, _ role: TopicRole) -> String? {
        role.partitionKey.flatMap { record.columns[$0] } ?? role.partitionKeyConstant
    }

    // MARK: Changesets

    private typealias Member = (column: String, value: JSON)

    /// What the relay needs, and what the model asks for beyond that; nil if that is nothing.
    private func changeset(
        of change: CapturedChange,
        _ role: TopicRole,
        _ place: ChangesetCipher.Row,
        _ cipher: ChangesetCipher
    ) throws -> JSON? {
        let changed = change.changedColumns
        let all =
            wanted(change, changed) + parents(change, changed, role) + move(change, changed, role) + kept(change, role)
        guard !all.isEmpty else { return nil }
        let members = all.reduce(into: JSON.Object()) { $0[$1.column] = $1.value }
        guard model.changeset == .values else { return .object(members) }
        let needed = Set(role.foreignKeys + role.keptColumns + [role.partitionKey].compactMap(\.self))
        return .object(try cipher.encrypt(members, of: place, except: needed))
    }

    /// What the model asks for.
    private func wanted(_ change: CapturedChange, _ changed: [String]) -> [Member] {
        switch model.changeset {
        case .minimal: []
        case .names: changed.map { ($0, .null) }
        case .values: changed.map { ($0, change.values(of: $0)) }
        }
    }

    /// What leads to the records that it was a part of.
    private func parents(_ change: CapturedChange, _ changed: [String], _ role: TopicRole) -> [Member] {
        guard change.old != nil else { return [] }
        return role.foreignKeys.filter(changed.contains).map { ($0, change.values(of: $0)) }
    }

    /// What shows that the record has another partition key now.
    private func move(_ change: CapturedChange, _ changed: [String], _ role: TopicRole) -> [Member] {
        guard let column = role.partitionKey, change.old != nil, let new = change.new else { return [] }
        if changed.contains(column) { return [(column, change.values(of: column))] }
        guard change.isRestored, !model.publishesUpdatesAfterSoftDelete else { return [] }
        // It may have moved while its changes were not published: from where is not known.
        return [(column, .array([.null, new[column] ?? .null]))]
    }

    /// What a deletion keeps.
    private func kept(_ change: CapturedChange, _ role: TopicRole) -> [Member] {
        change.new == nil ? role.keptColumns.map { ($0, change.values(of: $0)) } : []
    }
}

/// A record that a poll has found.
struct PolledRecord: Sendable {
    let id: String
    /// Whether it isn't soft-deleted.
    let isVisible: Bool
    /// The values of columns that partition keys are taken from, as text.
    let columns: [String: String]
}
