import Dionysus

import struct Foundation.UUID

/// How a row about something that is not published by itself becomes rows of the records that are computed from it.
struct Expansion: Sendable {
    let publication: Registry.Publication
    /// The model whose rows are expanded.
    let changed: ModelDescription
    /// The topic that such rows have.
    let topic: String
    /// The way from the changed model's table to the table of the records.
    let path: [AssociationHop]
    /// The attributes of which one must have changed; nil for any.
    let columns: [String]?
    /// The type of the changed model's primary key.
    let keyType: DatabaseType
    /// The type of the column at which the way begins.
    let startType: DatabaseType
    /// The column whose value is the partition key, if the records' table has it.
    let partitionKeyColumn: String?
    /// The partition key of all rows, where only the application can compute that of a message.
    let partitionKeyConstant: String?
    /// The column that is not null in records which are not published any more.
    let hidingColumn: String?

    private init(
        _ publication: Registry.Publication,
        _ changed: ModelDescription,
        topic: String,
        path: [AssociationHop],
        columns: [String]?,
        _ catalogue: Catalogue
    ) {
        let table = catalogue[publication.model.table]
        let start = path.first.flatMap { catalogue[changed.table]?.column($0.column)?.type }
        self.publication = publication
        self.changed = changed
        self.topic = topic
        self.path = path
        self.columns = columns
        keyType = catalogue.primaryKeyType(of: changed)
        startType = start ?? .text
        partitionKeyColumn = publication.partitionKey.column(in: table)
        partitionKeyConstant = publication.partitionKey.constant(forTopic: publication.topic)
        hidingColumn =
            publication.model.publishesUpdatesAfterSoftDelete
            ? nil : table?.column(publication.model.softDeleteColumn)?.name
    }

    /// Every expansion of a declaration.
    static func all(of registry: Registry, _ catalogue: Catalogue) -> [Expansion] {
        registry.publications.flatMap { publication in
            let observations = publication.observations.map { observation in
                Expansion(
                    publication,
                    observation.model,
                    topic: OutboxRow.observerTopic,
                    path: observation.association.hops,
                    columns: observation.columns,
                    catalogue
                )
            }
            let dependencies = publication.dependencies.map { dependency in
                Expansion(
                    publication,
                    dependency.target,
                    topic: publication.topic,
                    path: dependency.reversedHops,
                    columns: nil,
                    catalogue
                )
            }
            return observations + dependencies
        }
    }

    /// Whether a row is about what this expansion begins at.
    func applies(to row: OutboxRow) -> Bool {
        guard row.topic == topic, row.resourceClass == changed.name else { return false }
        guard let columns, let changeset = row.changedValues, !changeset.members.isEmpty else { return true }
        return columns.contains { changeset[$0] != nil }
    }

    /// The column at which the way begins, if it isn't the primary key: a foreign key, whose old value counts too.
    var foreignKey: String? {
        path.first.map(\.column).flatMap { $0 == changed.primaryKey ? nil : $0 }
    }
}

extension AssociationDescription {
    /// The way back, from the target's table to the source's.
    var reversedHops: [AssociationHop] {
        let tables = [source.table] + hops.map(\.otherTable)
        return zip(hops, tables).map { hop, table in hop.reversed(to: table) }.reversed()
    }
}

extension [Expansion] {
    /// Whether a row is replaced by rows of other records.
    ///
    /// A model that its topic publishes by itself too has triggers, which write the other records' rows.
    func replace(_ row: OutboxRow, _ registry: Registry) -> Bool {
        if row.topic == OutboxRow.observerTopic { return true }
        guard registry.publication(topic: row.topic, modelName: row.resourceClass) == nil else { return false }
        return contains { $0.applies(to: row) }
    }
}

extension DatabaseValue {
    /// A primary key from the text under which the outbox has it; null, which no record has, if the text can't be one.
    ///
    /// A row that somebody has written by hand must not make the statements of its whole batch fail.
    init(primaryKey text: String, type: DatabaseType) {
        switch type {
        case .integer: self = Int64(text).map(DatabaseValue.integer) ?? .null
        case .uuid: self = UUID(uuidString: text).map(DatabaseValue.uuid) ?? .null
        default: self = .text(text)
        }
    }

    /// A key from a changeset; nil for what can't be one.
    init?(key json: JSON, type: DatabaseType) {
        switch (json, type) {
        case (.integer(let value), .integer): self = .integer(value)
        case (.integer(let value), _): self.init(primaryKey: String(value), type: type)
        case (.string(let text), .integer):
            guard let value = Int64(text) else { return nil }
            self = .integer(value)
        case (.string(let text), .uuid):
            guard let value = UUID(uuidString: text) else { return nil }
            self = .uuid(value)
        case (.string(let text), _): self = .text(text)
        default: return nil
        }
    }

    /// The text under which the outbox has a primary key.
    var primaryKeyText: String {
        switch self {
        case .integer(let value): String(value)
        case .text(let value): value
        case .uuid(let value): value.uuidString.lowercased()
        default: ""
        }
    }
}
