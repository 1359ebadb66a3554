import Dionysus

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
    /// Which of those records are published all the same.
    let hidingExemption: ColumnCondition?

    private init(
        _ publication: Registry.Publication,
        _ changed: ModelDescription,
        topic: String,
        path: [AssociationHop],
        columns: [String]?,
        _ catalogue: Catalogue
    ) {
        let table = catalogue[publication.model.table]
        self.publication = publication
        self.changed = changed
        self.topic = topic
        self.path = path
        self.columns = columns
        keyType = catalogue.primaryKeyType(of: changed)
        startType = path.first.map { catalogue.keyType(changed.table, $0.column) } ?? .text
        partitionKeyColumn = publication.partitionKey.column(in: table)
        partitionKeyConstant = publication.partitionKey.constant(forTopic: publication.topic)
        hidingExemption = publication.model.updatesAfterSoftDelete
        hidingColumn =
            publication.model.publishesUpdatesAfterSoftDelete
            ? nil : table?.column(publication.model.softDeleteColumn)?.name
    }

    /// Whether a record is published, as a condition on its row; nil if all are.
    func isVisible(_ alias: SQL, _ dialect: any SQLDialect) -> SQL? {
        guard let hidingColumn else { return nil }
        let visible: SQL = "\(alias).\(identifier: hidingColumn) IS NULL"
        return hidingExemption.map { "(\(visible) OR \($0.sql(alias, dialect)))" } ?? visible
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

    /// The way from the values of its first column, which is called `value`.
    ///
    /// What the first step asks of the changed record has been looked up with the values.
    var pathFromValues: [AssociationHop] {
        guard let first = path.first else { return [] }
        let start = AssociationHop(
            column: "value",
            otherTable: first.otherTable,
            otherColumn: first.otherColumn,
            condition: first.condition.flatMap { $0.side == .target ? $0 : nil }
        )
        return [start] + path.dropFirst()
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

/// Everything that expands rows, and what becomes of a row by it.
struct Expansions: Sendable {
    /// What becomes of a row.
    enum Kind: Sendable {
        /// It is published.
        case published
        /// It is published, and so are the records that it is a part of: nothing else has written rows for them.
        case publishedWithParents
        /// Rows of other records replace it.
        case replaced
    }

    private let all: [Expansion]
    /// The places of the ways by the topic and the model of the rows that they begin at.
    private let places: [RecordGroup: [Int]]
    private let registry: Registry
    /// Models whose changes are written without the rows of what they are a part of.
    private let isWrittenAlone: @Sendable (ModelDescription) -> Bool

    init(_ registry: Registry, _ catalogue: Catalogue, _ outbox: Outbox) {
        let all = Expansion.all(of: registry, catalogue)
        self.all = all
        places = Dictionary(grouping: all.indices) { place in
            RecordGroup(topic: all[place].topic, modelName: all[place].changed.name)
        }
        self.registry = registry
        // Triggers write the rows of the parents; the application, polls and dionysus-rb leave that to the relay.
        isWrittenAlone = { model in model.captureMethod != .triggers || !outbox.hasContext }
    }

    func kind(of row: OutboxRow) -> Kind {
        if row.topic == OutboxRow.observerTopic { return .replaced }
        guard let own = places(from: row).first.map({ all[$0] }) else { return .published }
        guard registry.publication(topic: row.topic, modelName: row.resourceClass) != nil else { return .replaced }
        return isWrittenAlone(own.changed) ? .publishedWithParents : .published
    }

    /// The places of the ways from a row, in the declaration's order.
    private func places(from row: OutboxRow) -> [Int] {
        guard !places.isEmpty, let candidates = places[RecordGroup(row)] else { return [] }
        return candidates.filter { all[$0].applies(to: row) }
    }

    /// The ways from rows to other records, a list for each publication.
    func ways(from rows: [OutboxRow]) -> [[Expansion]] {
        let ways = Set(rows.flatMap(places)).sorted().map { all[$0] }
        return ways.map { RecordGroup($0.publication) }.withoutRepetitions
            .map { group in ways.filter { RecordGroup($0.publication) == group } }
    }
}
