import Dionysus

import struct Foundation.UUID

/// How a change to something observed becomes rows of the records that are computed from it.
struct Expansion: Sendable {
    let publication: Registry.Publication
    let observation: Observation
    let observedKeyType: DatabaseType
    /// The columns, where the observers' table has them.
    let partitionKeyColumn: String?
    let softDeleteColumn: String?

    /// Every expansion of a declaration.
    static func all(of registry: Registry, _ catalogue: Catalogue) -> [Expansion] {
        registry.publications.flatMap { publication in
            let table = catalogue[publication.model.table]
            return publication.observations.map { observation in
                Expansion(
                    publication: publication,
                    observation: observation,
                    observedKeyType: catalogue.primaryKeyType(of: observation.model),
                    partitionKeyColumn: publication.partitionKey.column(in: table),
                    softDeleteColumn: table?.column(publication.model.softDeleteColumn)?.name
                )
            }
        }
    }

    /// Whether a row is about what this expansion observes.
    func applies(to row: OutboxRow) -> Bool {
        guard row.resourceClass == observation.model.name else { return false }
        guard let changeset = row.changeset, let changed = try? JSON(parsing: Array(changeset.utf8)) else {
            return true
        }
        return observation.columns.contains { changed[$0] != nil }
    }
}

extension DatabaseValue {
    /// A primary key from the text under which the outbox has it.
    init(primaryKey text: String, type: DatabaseType) {
        switch type {
        case .integer: self = Int64(text).map(DatabaseValue.integer) ?? .text(text)
        case .uuid: self = UUID(uuidString: text).map(DatabaseValue.uuid) ?? .text(text)
        default: self = .text(text)
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
