package import Dionysus

/// What a consumer has found when its replica was compared with its source.
///
///     let verifications = ConsumerVerifications(RentalMirror(), database: database, settings: settings)
///     for run in try await verifications.runs() { print(run.topic, run.state, run.differences ?? 0) }
///
/// It needs no broker, and can be used while consumers run.
package struct ConsumerVerifications: Sendable {
    /// How many rows a transaction removes.
    private static let removalSize = 500

    private let database: any Database
    private let topics: ConsumedTopics
    private let catalogue: ReplicaCatalogue
    private let group: String

    /// Creates it.
    /// - Parameters:
    ///   - consumer: The declaration, by which rows are found.
    ///   - settings: The consumer's settings.
    package init(_ consumer: some Consumer, database: any Database, settings: ConsumerSettings = ConsumerSettings()) {
        self.database = database
        topics = ConsumedTopics(consumer, settings: settings)
        catalogue = ReplicaCatalogue(
            database: database,
            factory: ModelFactory(consumer, settings),
            settings: settings,
            logger: nil
        )
        group = settings.effectiveGroupID
    }

    /// The runs that the consumer has heard of, the oldest first.
    /// - Parameter number: The number that the run has at its source; nil for all runs.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if nothing has been migrated, and as for a transaction.
    package func runs(number: Int64? = nil) async throws -> [ComparedRun] {
        try await runs(number.map { "number = \($0)" } ?? "1 = 1")
    }

    /// The last run that has compared one record alone.
    /// - Parameters:
    ///   - model: The model's name.
    ///   - id: The record's primary key as text, as the run was started with it.
    /// - Returns: The run; nil if there was none.
    /// - Throws: As ``runs(number:)``.
    package func lastRun(of model: String, id: String) async throws -> ComparedRun? {
        try await runs("model = \(model) AND first_key = \(id) AND last_key = \(id)").last
    }

    private func runs(_ condition: SQL) async throws -> [ComparedRun] {
        try await database.transaction(.snapshot) { [group] transaction in
            try Self.requireTables(in: &transaction)
            return
                try transaction.run(
                    """
                    SELECT \(raw: ComparedRun.columns) FROM dionysus_verifications t
                    WHERE "group" = \(group) AND \(condition) ORDER BY started_at, topic, run
                    """
                )
                .rows.map { try ComparedRun($0) }
        }
    }

    /// The differences that a run has found, in the order in which they were.
    /// - Parameters:
    ///   - after: Only those with a higher id, for the next page; nil for the first.
    ///   - limit: How many at most.
    /// - Throws: As ``runs(number:)``.
    package func differences(
        of run: ComparedRun,
        after: Int64? = nil,
        limit: Int = 1_000
    ) async throws -> [Difference] {
        try await database.transaction(.snapshot) { [group] transaction in
            try transaction.run(
                """
                SELECT \(raw: Difference.columns) FROM dionysus_differences
                WHERE "group" = \(group) AND topic = \(run.verificationTopic) AND run = \(run.name) AND id > \(after ?? 0)
                ORDER BY id LIMIT \(limit)
                """
            )
            .rows.map { try Difference($0) }
        }
    }

    /// Removes the rows that a run has found to be too many, as far as they still are: a row that was written since by a
    /// newer message stays.
    /// - Returns: How many rows were removed.
    /// - Throws: As ``runs(number:)``; `conflict` for a run that isn't completed.
    package func removeExtraRows(of run: ComparedRun) async throws -> Int {
        try run.requireCompleted()
        let extra = try await open(run).filter { $0.kind == .extra }
        var removed = 0
        for (model, differences) in Dictionary(grouping: extra, by: \.model).sorted(by: { $0.key < $1.key }) {
            let namespace = topics[run.verificationTopic].namespace
            guard let table = try await catalogue.replicas(of: [model], in: namespace).tables[model] else { continue }
            for start in stride(from: 0, to: differences.count, by: Self.removalSize) {
                let part = Array(differences[start..<min(start + Self.removalSize, differences.count)])
                removed += try await database.transaction(.write) { try Self.remove(part, from: table, in: &$0) }
            }
        }
        return removed
    }

    /// Notes that the records of differences have been published again.
    /// - Throws: As ``runs(number:)``.
    package func noteRepaired(_ differences: [Difference]) async throws {
        try await database.transaction(.write) { try Self.note(differences, in: &$0) }
    }

    /// The differences of a run that no repair has dealt with.
    /// - Throws: As ``runs(number:)``.
    package func open(_ run: ComparedRun) async throws -> [Difference] {
        var found: [Difference] = []
        var last: Int64?
        while true {
            let page = try await differences(of: run, after: last)
            found += page.filter { $0.repairedAt == nil }
            guard let end = page.last else { return found }
            last = end.id
        }
    }

    private static func remove(
        _ differences: [Difference],
        from table: ReplicaTable,
        in transaction: inout Transaction
    ) throws -> Int {
        var removed = 0
        for (version, part) in Dictionary(grouping: differences, by: \.version) {
            let rows = ExtraRows(table: table, dialect: transaction.dialect)
            guard let removal = rows.removal(part.map(\.recordID), version: version) else { continue }
            removed += try transaction.run(removal).affectedRows
        }
        try note(differences, in: &transaction)
        return removed
    }

    private static func note(_ differences: [Difference], in transaction: inout Transaction) throws {
        guard !differences.isEmpty else { return }
        let dialect = transaction.dialect
        let ids = differences.map { DatabaseValue.integer($0.id) }
        try transaction.run(
            """
            UPDATE dionysus_differences SET repaired_at = \(dialect.now)
            WHERE \(dialect.isAnyKey("id", of: ids, type: .integer))
            """
        )
    }

    private static func requireTables(in transaction: inout Transaction) throws {
        let table = try transaction.describe(table: "dionysus_verifications")
        guard table?.column("first_key") == nil else { return }
        throw DionysusError(
            .declaration,
            "there is no table dionysus_verifications in the database, or an old one",
            advice: "run migrate first"
        )
    }
}
