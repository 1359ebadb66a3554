package import Dionysus

/// Reads what would be published of a model's records, page by page, in the order of their keys.
///
///     let export = try await RecordExport("Rental", in: "v3_rentals", registry, database: database)
///     var page = try await export.page(after: nil, limit: 500)
///
/// A page is loaded as the relay loads a batch, and nothing is written. Records that are created or deleted between two pages
/// may or may not be among them.
package struct RecordExport: Sendable {
    /// A record as it would be published.
    package struct Record: Sendable, Hashable {
        /// Its primary key as text.
        package let key: String
        /// When it was last updated; nil if its table has no `updated_at`.
        package let updatedAt: Timestamp?
        /// Its payload, as JSON.
        package let payload: [UInt8]
    }

    /// Some records that follow each other.
    package struct Page: Sendable, Hashable {
        /// The records.
        package let records: [Record]
        /// The last key that was looked at, after which the next page begins; nil if there was none.
        package let last: String?
        /// Whether there are no more records.
        package let isEnd: Bool
    }

    private typealias Key = (key: String, updatedAt: Timestamp?)

    /// The size in bytes of the records that are loaded at once; a larger one is loaded alone.
    private static let largestPage = 16 << 20

    private let database: any CapturingDatabase
    private let publication: Registry.Publication
    private let selection: GenesisSelection
    private let plan: LoadPlan
    private let styles: WireStyles
    /// Whether the table says when its records were updated.
    private let hasTimes: Bool

    private var group: RecordGroup { RecordGroup(publication) }

    /// Prepares an export.
    /// - Parameters:
    ///   - modelName: The model's name.
    ///   - topic: The full name of the topic whose payloads are read.
    ///   - database: The database that has the records.
    ///   - settings: How they are published.
    ///   - selection: Which records are read.
    /// - Throws: ``DionysusError``: `notFound` for a topic that isn't declared or doesn't publish the model, `declaration` when
    ///   the declaration does not fit the database, `configuration` when the selection doesn't, and as transactions.
    package init(
        _ modelName: String,
        in topic: String,
        _ registry: Registry,
        database: any CapturingDatabase,
        settings: ProducerSettings = ProducerSettings(),
        selecting selection: GenesisSelection = GenesisSelection()
    ) async throws {
        let publication = try registry.publishing(modelName, in: topic)
        try throwFaults(publication.unserialized.map { "topic \(publication.topic), model \(modelName)\($0)" })
        let catalogue = try await Catalogue.read(for: registry, from: database)
        plan = try LoadPlan(publication, catalogue)
        hasTimes = catalogue[publication.model.table]?.column(GenesisSelection.timeColumn) != nil
        styles = try await WireStyles.read(registry, settings, from: database)
        _ = try await database.transaction(.snapshot) { try GenesisRecords(publication, selection, in: &$0) }
        self.database = database
        self.publication = publication
        self.selection = selection
    }

    /// Reads the next records.
    /// - Parameters:
    ///   - key: The key after which they begin; nil for the first ones.
    ///   - limit: How many records the page has at most; at least one.
    /// - Returns: The records, which are fewer than the limit if some were deleted in the meantime, or if they are large.
    /// - Throws: ``DionysusError``: `application` for a record that can't be serialized, and as transactions.
    package func page(after key: String?, limit: Int) async throws -> Page {
        let all = try await keys(after: key, limit: limit)
        let (found, loaded) = try await load(all[...])
        let records = try found.compactMap { key, time in
            guard let loaded, loaded.state(of: key) != .gone else { return nil as Record? }
            return Record(key: key, updatedAt: time, payload: try payload(of: key, loaded))
        }
        return Page(records: records, last: found.last?.key, isEnd: found.count == all.count && all.count < limit)
    }

    /// Loads the first records, as many as memory has room for: one at least.
    private func load(_ keys: ArraySlice<Key>) async throws -> (keys: ArraySlice<Key>, records: LoadedRecords?) {
        let loader = SnapshotLoader(database: database, plans: [group: plan], styles: styles)
        let limit = keys.count > 1 ? Self.largestPage : nil
        let loaded = try await loader.load([group: keys.map(\.key)], upTo: limit)
        guard let loaded else { return try await load(keys.prefix(keys.count / 2)) }
        return (keys, loaded[group])
    }

    private func payload(of key: String, _ loaded: LoadedRecords) throws -> [UInt8] {
        do {
            return try loaded.payload(of: key)
        } catch {
            throw DionysusError(
                .application,
                "\(publication.model.name):\(key) can't be serialized: \(error.summary)",
                underlying: error
            )
        }
    }

    private func keys(after key: String?, limit: Int) async throws -> [Key] {
        try await database.transaction(.snapshot) { [database, publication, selection, hasTimes] transaction in
            try transaction.run(database.outbox.seeingAllRows())
            let records = try GenesisRecords(publication, selection, in: &transaction)
            let lower: SQL =
                key.map { "\(records.key) > \(DatabaseValue(primaryKey: $0, type: records.keyType))" }
                ?? "\(records.key) IS NOT NULL"
            let time: SQL = hasTimes ? "t.\(identifier: GenesisSelection.timeColumn)" : "NULL"
            let found = try transaction.run(
                """
                SELECT \(transaction.dialect.asText(records.key)), \(time) FROM \(identifier: records.table) t
                WHERE \(lower)\(records.condition) ORDER BY \(records.key) LIMIT \(max(1, limit))
                """
            )
            return try found.rows.map { (try $0.text(0) ?? "", hasTimes ? try? $0.timestamp(1) : nil) }
        }
    }
}
