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

    func rows(for change: RecordChange, _ cipher: ChangesetCipher) throws -> [Row] {
        var rows: [Row] = []
        for role in roles {
            // What happens to a soft-deleted record still concerns what it is a part of.
            let isDependency = !role.isPublished
            guard let event = change.change ?? (isDependency ? .updated : nil) else { continue }
            let name = EventName(model.singular, event)
            let place = ChangesetCipher.Row(
                modelName: model.name,
                recordID: change.id,
                eventName: name.description,
                topic: role.topic
            )
            rows.append(
                Row(
                    modelName: model.name,
                    id: change.id,
                    event: name,
                    topic: role.topic,
                    partitionKey: role.partitionKey.flatMap { change.text(of: $0) } ?? role.partitionKeyConstant,
                    changeset: try changeset(of: change, role, place, cipher)
                )
            )
        }
        let changed = change.changedColumns.filter(observed.contains)
        if change.old != nil, change.new != nil, !changed.isEmpty {
            rows.append(
                Row(
                    modelName: model.name,
                    id: change.id,
                    event: EventName(model.singular, .updated),
                    topic: OutboxRow.observerTopic,
                    partitionKey: nil,
                    changeset: .object(JSON.Object(changed.map { .init($0, .null) }))
                )
            )
        }
        return rows
    }

    /// What the relay needs, and what the model asks for beyond that; nil if that is nothing.
    private func changeset(
        of change: RecordChange,
        _ role: TopicRole,
        _ place: ChangesetCipher.Row,
        _ cipher: ChangesetCipher
    ) throws -> JSON? {
        let changed = change.changedColumns
        var members = JSON.Object()
        switch model.changeset {
        case .minimal: break
        case .names: for column in changed { members[column] = .null }
        case .values: for column in changed { members[column] = change.values(of: column) }
        }
        if change.old != nil {
            for column in role.foreignKeys where changed.contains(column) {
                members[column] = change.values(of: column)
            }
        }
        if let column = role.partitionKey, change.old != nil, let new = change.new {
            if changed.contains(column) {
                members[column] = change.values(of: column)
            } else if change.isRestored, !model.publishesUpdatesAfterSoftDelete {
                // It may have moved while its changes were not published: from where is not known.
                members[column] = .array([.null, new[column] ?? .null])
            }
        }
        if change.new == nil {
            for column in role.keptColumns { members[column] = change.values(of: column) }
        }
        guard !members.members.isEmpty else { return nil }
        guard model.changeset == .values else { return .object(members) }
        let needed = Set(role.foreignKeys + role.keptColumns + [role.partitionKey].compactMap(\.self))
        return .object(try cipher.encrypt(members, of: place, except: needed))
    }
}
