import Dionysus

/// What has to be captured of each table for everything that the declaration publishes.
struct CapturePlan: Sendable {
    private(set) var tables: [TableCapture] = []
    private let primaryKeys: [String: String]
    private let catalogue: Catalogue

    init(_ registry: Registry, catalogue: Catalogue) {
        self.catalogue = catalogue
        primaryKeys = Dictionary(registry.models.map { ($0.table, $0.primaryKey) }) { first, _ in first }
        guard registry.capture == .enabled else { return }
        let publications = Dictionary(grouping: registry.publications, by: \.model)
        for publication in registry.publications {
            let model = publication.model
            add(record(model, publications[model, default: []]), to: model)
            let own = record(model, [publication])
            for dependency in publication.dependencies {
                add(dependency, affecting: own, sql: publication.sqlReads.ownColumns[dependency.target] ?? [])
            }
            for observation in publication.observations {
                observe(observation)
                add(middleOf: observation.association, affecting: own)
            }
            for observer in publication.sqlReads.observers { add(observer, affecting: own) }
        }
        let withoutTriggers = Set(registry.models.filter { $0.captureMethod != .triggers }.map(\.table))
        tables.removeAll { withoutTriggers.contains($0.table) }
    }

    /// A model as these publications need it captured.
    private func record(_ model: ModelDescription, _ publications: [Registry.Publication]) -> RecordCapture {
        let table = catalogue[model.table]
        return RecordCapture(
            modelName: model.name,
            singular: model.singular,
            table: model.table,
            primaryKey: model.primaryKey,
            softDeleteColumn: table?.column(model.softDeleteColumn)?.name,
            updatesAfterSoftDelete: model.publishesUpdatesAfterSoftDelete,
            updatedAfterSoftDelete: model.updatesAfterSoftDelete,
            topics: publications.map { publication in
                RecordCapture.Topic(
                    name: publication.topic,
                    partitionKey: publication.partitionKey.captured(from: table, topic: publication.topic)
                )
            },
            keptColumns: publications.flatMap(\.partitionKey.keptColumns).withoutRepetitions,
            changeset: model.changeset,
            columns: columns(
                of: model,
                publications,
                sql: publications.flatMap { $0.sqlReads.ownColumns[model] ?? [] }
            )
        )
    }

    /// The columns that anything declared about a model reads: any other may change, appear and disappear unnoticed.
    private func columns(
        of model: ModelDescription,
        _ publications: [Registry.Publication],
        sql: [String]
    ) -> [String]? {
        guard let table = catalogue[model.table], let declared = try? model.columns().map(\.name) else { return nil }
        let keys = publications.flatMap { publication in
            publication.partitionKey.keptColumns + [publication.partitionKey.column(in: table)].compactMap(\.self)
        }
        return
            (declared + sql + [model.primaryKey, model.softDeleteColumn] + keys
            + [model.updatesAfterSoftDelete?.column].compactMap(\.self))
            .withoutRepetitions
            .filter { table.column($0) != nil }
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
    /// - Parameter sql: The columns that SQL attributes of the record at its end read.
    private mutating func add(
        _ dependency: AssociationDescription,
        affecting record: RecordCapture,
        sql: [String]
    ) {
        var path: [AssociationHop] = []
        var table = dependency.source.table
        for (index, hop) in dependency.hops.enumerated() {
            path.insert(hop.reversed(to: table), at: 0)
            let isEnd = index == dependency.hops.count - 1
            // Of the tables between, only the columns that join matter.
            let columns =
                isEnd
                ? columns(of: dependency.target, [], sql: sql).map { $0 + hop.targetColumns }
                : hop.targetColumns + dependency.hops[index + 1].sourceColumns
            let affected = AffectedCapture(record: record, path: path, columns: columns?.withoutRepetitions)
            add(affected, to: hop.otherTable)
            table = hop.otherTable
        }
    }

    /// What the record's attributes read of a table.
    private mutating func add(_ observer: DerivedObserver, affecting record: RecordCapture) {
        for way in observer.ways {
            guard let first = way.first else { continue }
            let columns = (observer.columns + first.sourceColumns).withoutRepetitions
            add(AffectedCapture(record: record, path: way, columns: columns), to: observer.table)
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
            let joins = (hop.targetColumns + rest[0].sourceColumns).withoutRepetitions
            add(AffectedCapture(record: record, path: rest, columns: joins), to: hop.otherTable)
        }
    }

    /// Adds a capture, or the columns that it has to look at to one that leads the same way, so that one change
    /// publishes a record once.
    private mutating func add(_ affected: AffectedCapture, to table: String) {
        change(table) { capture in
            let same = capture.affected.firstIndex { $0.record == affected.record && $0.path == affected.path }
            guard let same else { return capture.affected.append(affected) }
            let other = capture.affected[same].columns
            capture.affected[same].columns = other.flatMap { other in
                affected.columns.map { (other + $0).withoutRepetitions }
            }
        }
    }
}

extension PublicationPartitionKey {
    /// What rows of the outbox carry.
    fileprivate func captured(from table: TableDescription?, topic: String) -> RecordCapture.Topic.PartitionKey {
        column(in: table).map { .column($0) } ?? constant(forTopic: topic).map { .constant($0) } ?? .none
    }
}
