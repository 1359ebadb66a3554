import Dionysus

/// Loads the current state of records and what belongs to them, as one snapshot of the database has it.
struct SnapshotLoader: Sendable {
    let database: any CapturingDatabase
    let plans: [RecordGroup: LoadPlan]
    let styles: WireStyles

    private typealias Group = (group: RecordGroup, plan: LoadPlan, ids: [String])

    private func groups(_ records: [RecordGroup: [String]]) -> [Group] {
        records.compactMap { group, ids in plans[group].map { (group, $0, ids.withoutRepetitions) } }
    }

    /// Loads records by a number of queries that depends on what is declared, and not on how many records there are.
    /// - Parameter records: The ids of the records of each group; a group without a plan is left out.
    func load(_ records: [RecordGroup: [String]]) async throws -> [RecordGroup: LoadedRecords] {
        try await load(records, upTo: nil) ?? [:]
    }

    /// Loads records, unless they are too large to be loaded at once.
    /// - Parameters:
    ///   - records: The ids of the records of each group; a group without a plan is left out.
    ///   - size: The size in bytes that they may have together; nil for any.
    /// - Returns: nil if they are larger.
    func load(_ records: [RecordGroup: [String]], upTo size: Int?) async throws -> [RecordGroup: LoadedRecords]? {
        let groups = groups(records)
        let first = database.outbox.loadingByKeys()
        let queries = groups.map { $0.plan.queries(ids: $0.ids, dialect: database.dialect) }
        let statements = first + queries.flatMap(\.self)
        guard let results = try await database.transaction(.snapshot, { try $0.runLast(statements, upTo: size) }) else {
            return nil
        }
        var loaded: [RecordGroup: LoadedRecords] = [:]
        var start = first.count
        for ((group, plan, _), queries) in zip(groups, queries) {
            let end = start + queries.count
            loaded[group] = LoadedRecords(
                plan: plan,
                results: results[start..<end],
                encoder: styles.encoder(ofTopic: group.topic)
            )
            start = end
        }
        return loaded
    }

    /// Loads the records of rows so that what is wrong with some of them keeps no others from being loaded.
    /// - Parameters:
    ///   - rows: The rows.
    ///   - size: The size in bytes that the records, and messages that are no model's, may have together; nil for any. What has
    ///     to be loaded in parts has no limit.
    /// - Returns: nil if they are larger.
    /// - Throws: ``DionysusError`` when it is the database that fails, and not a statement.
    func loadWhatCanBe(_ rows: [OutboxRow], upTo size: Int?) async throws -> LoadedBatch? {
        let groups = Dictionary(grouping: rows, by: RecordGroup.init)
        guard var batch = try await loadWhatCanBe(groups.mapValues { $0.map(\.resourceID) }, upTo: size) else {
            return nil
        }
        let messages = groups.filter { $0.key.isOfPlainMessages }.flatMap(\.value)
        guard !messages.isEmpty else { return batch }
        do {
            let taken = batch.records.values.reduce(0) { $0 + $1.byteCount }
            let rest = size.map { max(0, $0 - taken) }
            let loaded = try await load(messages: messages.compactMap(\.plainMessageID), upTo: rest)
            guard let loaded else { return nil }
            batch.messages = loaded
        } catch let error as DionysusError where error.isOfStatement {
            for group in groups.keys where group.isOfPlainMessages { batch.refused[group] = error }
        }
        return batch
    }

    /// Loads messages that are no model's.
    private func load(messages ids: [String], upTo size: Int?) async throws -> [String: StoredMessage]? {
        let isWanted = database.dialect.isAnyKey("m.id", of: ids.map { .text($0) }, type: .text)
        let query: SQL = """
            SELECT \(StoredMessage.columns) FROM \(database.outbox.tables.messages) m WHERE \(isWanted)
            """
        let found = try await database.transaction(.snapshot) { try $0.runLast([query], upTo: size) }
        guard let messages = try found?[0].rows.map({ try StoredMessage($0) }) else { return nil }
        return Dictionary(messages.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Loads records so that what is wrong with some of them keeps no others from being loaded.
    ///
    /// All at once; when the database refuses that, group by group, and within a group by halves, still in one snapshot.
    /// - Throws: ``DionysusError`` when it is the database that fails, and not a statement.
    private func loadWhatCanBe(_ records: [RecordGroup: [String]], upTo size: Int?) async throws -> LoadedBatch? {
        do {
            return try await load(records, upTo: size).map { LoadedBatch(records: $0) }
        } catch let error as DionysusError where error.isOfStatement {
            return try await loadApart(groups(records))
        }
    }

    private func loadApart(_ groups: [Group]) async throws -> LoadedBatch {
        let (first, dialect) = (database.outbox.loadingByKeys(), database.dialect)
        let plans = groups.map { ($0.plan, $0.ids) }
        let outcomes = try await database.transaction(.snapshot) { transaction in
            try transaction.run(first)
            return try plans.map { plan, ids in try Self.outcome(plan, ids, dialect, in: &transaction) }
        }
        var batch = LoadedBatch(records: [:])
        for ((group, plan, _), outcome) in zip(groups, outcomes) {
            switch outcome {
            case .refused(let error): batch.refused[group] = error
            case .parts(let parts):
                for (ids, result) in parts {
                    switch result {
                    case .failure(let error): for id in ids { batch.apart[group, default: [:]][id] = .failed(error) }
                    case .success(let results):
                        let records = LoadedRecords(
                            plan: plan,
                            results: results[...],
                            encoder: styles.encoder(ofTopic: group.topic)
                        )
                        for id in ids { batch.apart[group, default: [:]][id] = .loaded(records) }
                    }
                }
            }
        }
        return batch
    }

    private typealias Part = (ids: [String], result: Result<[ResultSet], DionysusError>)

    private enum GroupOutcome: Sendable {
        /// Not even no records can be loaded.
        case refused(DionysusError)
        case parts([Part])
    }

    private static func outcome(
        _ plan: LoadPlan,
        _ ids: [String],
        _ dialect: any SQLDialect,
        in transaction: inout Transaction
    ) throws -> GroupOutcome {
        if let error = try load([], plan, dialect, in: &transaction).failure { return .refused(error) }
        return .parts(try parts(plan, ids, dialect, in: &transaction))
    }

    private static func parts(
        _ plan: LoadPlan,
        _ ids: [String],
        _ dialect: any SQLDialect,
        in transaction: inout Transaction
    ) throws -> [Part] {
        let result = try load(ids, plan, dialect, in: &transaction)
        guard result.failure != nil, ids.count > 1 else { return [(ids, result)] }
        let middle = ids.count / 2
        return try parts(plan, Array(ids[..<middle]), dialect, in: &transaction)
            + parts(plan, Array(ids[middle...]), dialect, in: &transaction)
    }

    private static func load(
        _ ids: [String],
        _ plan: LoadPlan,
        _ dialect: any SQLDialect,
        in transaction: inout Transaction
    ) throws -> Result<[ResultSet], DionysusError> {
        try transaction.attempt { try $0.run(plan.queries(ids: ids, dialect: dialect)) }
    }
}

/// What could be loaded of a batch.
struct LoadedBatch {
    enum Outcome {
        case loaded(LoadedRecords)
        case failed(DionysusError)
    }

    /// The groups that were loaded whole.
    var records: [RecordGroup: LoadedRecords]
    /// Groups of which no record can be loaded, and why.
    var refused: [RecordGroup: DionysusError] = [:]
    /// The records of groups that had to be loaded in parts, by their ids as the outbox has them.
    var apart: [RecordGroup: [String: Outcome]] = [:]
    /// The messages that are no model's, by their ids; nil if no row is about one.
    var messages: [String: StoredMessage]?

    /// Takes away a group that was loaded, and can't be published for now.
    mutating func refuse(_ group: RecordGroup, _ error: DionysusError) {
        guard records.removeValue(forKey: group) != nil || apart.removeValue(forKey: group) != nil else { return }
        refused[group] = error
    }
}
