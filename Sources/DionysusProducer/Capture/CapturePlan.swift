import Dionysus

/// What has to be captured, table by table, for everything that is declared to be published.
struct CapturePlan: Sendable {
    private(set) var tables: [TableCapture] = []
    private let catalogue: Catalogue

    init(_ registry: Registry, catalogue: Catalogue) {
        self.catalogue = catalogue
        var topics: [ModelDescription: [RecordCapture.Topic]] = [:]
        for publication in registry.publications {
            let column = publication.partitionKey.column(in: catalogue[publication.model.table])
            topics[publication.model, default: []].append(.init(name: publication.topic, partitionKey: column))
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
                    topics: topics
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
    }

    private mutating func change(
        _ table: String,
        primaryKey: String,
        _ body: (inout TableCapture) -> Void
    ) {
        if let index = tables.firstIndex(where: { $0.table == table }) {
            body(&tables[index])
        } else {
            var capture = TableCapture(table: table, primaryKey: primaryKey)
            body(&capture)
            tables.append(capture)
        }
    }

    private mutating func add(_ record: RecordCapture, to model: ModelDescription) {
        change(model.table, primaryKey: model.primaryKey) { capture in
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
            let joins = isEnd ? nil : hop.targetColumns + dependency.hops[index + 1].sourceColumns
            let affected = AffectedCapture(record: record, path: path, columns: joins?.withoutRepetitions)
            add(affected, to: hop.otherTable)
            table = hop.otherTable
        }
    }

    private mutating func observe(_ observation: Observation) {
        change(observation.model.table, primaryKey: observation.model.primaryKey) { capture in
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
            let joins = (hop.targetColumns + rest[0].sourceColumns).withoutRepetitions
            add(AffectedCapture(record: record, path: rest, columns: joins), to: hop.otherTable)
        }
    }

    /// Adds a capture, or the columns that it has to look at to one that leads the same way, so that one change
    /// publishes a record once.
    private mutating func add(_ affected: AffectedCapture, to table: String) {
        change(table, primaryKey: catalogue[table]?.primaryKey.first ?? "id") { capture in
            let same = capture.affected.firstIndex { $0.record == affected.record && $0.path == affected.path }
            guard let same else { return capture.affected.append(affected) }
            let other = capture.affected[same].columns
            capture.affected[same].columns = other.flatMap { other in
                affected.columns.map { (other + $0).withoutRepetitions }
            }
        }
    }
}
