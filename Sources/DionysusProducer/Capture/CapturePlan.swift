import Dionysus

/// What has to be captured, table by table, for everything that is declared to be published.
struct CapturePlan: Sendable {
    private(set) var tables: [TableCapture] = []
    private let primaryKeys: [String: String]
    private let catalogue: Catalogue

    init(_ registry: Registry, catalogue: Catalogue) {
        self.catalogue = catalogue
        primaryKeys = Dictionary(registry.models.map { ($0.table, $0.primaryKey) }) { first, _ in first }
        guard registry.capture == .enabled else { return }
        var topics: [ModelDescription: [RecordCapture.Topic]] = [:]
        for publication in registry.publications {
            let column = publication.partitionKey.flatMap { key in
                catalogue[publication.model.table]?.column(key).map(\.name)
            }
            let topic = RecordCapture.Topic(
                name: publication.topic,
                partitionKey: column.map { .column($0) } ?? .none
            )
            topics[publication.model, default: []].append(topic)
        }
        for publication in registry.publications {
            let model = publication.model
            func record(topics: [RecordCapture.Topic]) -> RecordCapture {
                RecordCapture(
                    modelName: model.name,
                    singular: model.singular,
                    table: model.table,
                    primaryKey: model.primaryKey,
                    softDeleteColumn: catalogue[model.table]?.column(model.softDeleteColumn)?.name,
                    updatesAfterSoftDelete: model.publishesUpdatesAfterSoftDelete,
                    topics: topics,
                    changeset: model.changeset
                )
            }
            let own = topics[model, default: []].filter { $0.name == publication.topic }
            add(record(topics: topics[model, default: []]), to: model)
            for dependency in publication.dependencies {
                add(dependency, affecting: record(topics: own))
            }
            for observation in publication.observations {
                observe(observation)
                add(middleOf: observation.association, affecting: record(topics: own))
            }
        }
        let recordedByApplication = Set(registry.models.filter { $0.captureMethod == .application }.map(\.table))
        tables.removeAll { recordedByApplication.contains($0.table) }
    }

    private mutating func change(_ table: String, _ body: (inout TableCapture) -> Void) {
        if let index = tables.firstIndex(where: { $0.table == table }) {
            body(&tables[index])
        } else {
            // A table between two models is known from the catalogue alone.
            let primaryKey = primaryKeys[table] ?? catalogue[table]?.primaryKey.first ?? "id"
            var capture = TableCapture(table: table, primaryKey: primaryKey)
            body(&capture)
            tables.append(capture)
        }
    }

    private mutating func add(_ record: RecordCapture, to model: ModelDescription) {
        change(model.table) { capture in
            if !capture.records.contains(record) { capture.records.append(record) }
        }
    }

    /// A change to any table on the way publishes the record at its beginning.
    private mutating func add(_ dependency: AssociationDescription, affecting record: RecordCapture) {
        var path: [AssociationHop] = []
        var table = dependency.source.table
        for (index, hop) in dependency.hops.enumerated() {
            path.insert(hop.reversed(to: table), at: 0)
            let isEnd = index == dependency.hops.count - 1
            // Of the tables between, only the columns that join matter.
            let joins = isEnd ? nil : Self.columns(joining: hop, dependency.hops[index + 1])
            let affected = AffectedCapture(record: record, path: path, columns: joins)
            change(hop.otherTable) { $0.affected.append(affected) }
            table = hop.otherTable
        }
    }

    private mutating func observe(_ observation: Observation) {
        change(observation.model.table) { capture in
            let columns = Set(observation.columns).union(capture.observed?.columns ?? [])
            capture.observed = ObservedCapture(
                modelName: observation.model.name,
                singular: observation.model.singular,
                columns: columns.sorted()
            )
        }
    }

    /// When what joins the observed record and its observers changes, the observers are published too.
    private mutating func add(middleOf association: AssociationDescription, affecting record: RecordCapture) {
        for index in association.hops.indices.dropLast() {
            let hop = association.hops[index]
            let rest = Array(association.hops[(index + 1)...])
            let affected = AffectedCapture(record: record, path: rest, columns: Self.columns(joining: hop, rest[0]))
            change(hop.otherTable) { $0.affected.append(affected) }
        }
    }

    /// The columns of the table between two steps that decide what belongs together.
    private static func columns(joining hop: AssociationHop, _ next: AssociationHop) -> [String] {
        var columns = [hop.otherColumn, next.column]
        if let condition = hop.condition, condition.side == .target { columns.append(condition.column) }
        if let condition = next.condition, condition.side == .source { columns.append(condition.column) }
        return columns.withoutRepetitions
    }
}
