public import Dionysus

/// Shows the rows of an outbox, and retries or discards those that are stuck.
///
///     let inspector = OutboxInspector(database: database)
///     for row in try await inspector.entries(OutboxFilter(scope: .parked)) { print(row.id, row.errorMessage ?? "") }
///     try await inspector.retry([42])
///
/// It needs no declaration and no broker, and can be used while relays run.
public struct OutboxInspector: Sendable {
    /// What became of a row that was to be changed.
    public enum Outcome: String, Sendable, Hashable {
        /// It was changed.
        case done
        /// There is no row of that id.
        case notFound
        /// It has been published already.
        case published
        /// It has not failed.
        case notFailed
    }

    let database: any CapturingDatabase

    /// Creates an inspector.
    /// - Parameter database: The database with the outbox.
    public init(database: any CapturingDatabase) { self.database = database }

    /// Counts rows by topic and state.
    ///
    /// It reads the whole table, published rows that are kept included.
    /// - Returns: The counts, in the order of the topics' names.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func statistics() async throws -> [OutboxStatistics] {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try transaction.run(outbox.statistics()).rows.map { try OutboxStatistics($0) }
        }
    }

    /// Lists the models of which relays can publish nothing for now.
    ///
    /// A relay that starts forgets what earlier ones have found.
    /// - Returns: The models, in the order of their topics.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func refusedModels() async throws -> [ModelRefusal] {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try transaction.run(outbox.refusals()).rows.compactMap { try ModelRefusal($0) }
        }
    }

    /// Counts the rows that are not published, of all topics together.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func unpublished() async throws -> UnpublishedRows {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try UnpublishedRows(transaction.run(outbox.unpublishedCounts()).first)
        }
    }

    /// Lists rows that are not published, in the order of their ids.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    public func entries(_ filter: OutboxFilter = OutboxFilter()) async throws -> [OutboxEntry] {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try transaction.run(outbox.entries(filter)).rows.map { try OutboxEntry($0) }
        }
    }

    /// Finds a row.
    /// - Returns: The row, or nil if there is none.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    public func entry(_ id: Int64) async throws -> OutboxEntry? {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try transaction.run(outbox.entries([id])).first.map { try OutboxEntry($0) }
        }
    }

    /// Makes failed and parked rows due now, with all their attempts before them.
    ///
    /// As always, what is published is the record's present state, with a version of now; a parked row that comes back
    /// late can't bring back what was then. The record's later rows that have not been published wait behind it.
    /// It waits for relays that work on the rows' lanes.
    /// - Returns: What became of each, in the order of the ids given.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    @discardableResult
    public func retry(_ ids: [Int64]) async throws -> [(id: Int64, outcome: Outcome)] {
        try await change(ids, acceptsPending: false) { outbox, ids, transaction in
            let wakeUp = try outbox.support.wakeUp(in: &transaction)
            try transaction.run([outbox.retry(ids), outbox.lowerMarks(to: ids)] + (wakeUp.map { [$0] } ?? []))
        }
    }

    /// Discards rows: marks them as published with a note, so that the record's later rows go on without them.
    ///
    /// The row and its error stay to be looked at until retention removes them. What it would have said is said by the
    /// record's next message; if there is none, consumers never learn of it. The bytes of a message that is no model's are
    /// deleted.
    /// - Parameters:
    ///   - ids: The rows.
    ///   - force: Whether rows that have not failed are discarded too.
    ///   - reason: Why, for those who look at the row later.
    /// - Returns: What became of each, in the order of the ids given.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    @discardableResult
    public func discard(
        _ ids: [Int64],
        force: Bool = false,
        reason: String? = nil
    ) async throws -> [(id: Int64, outcome: Outcome)] {
        let note = "discarded" + (reason.map { " (\($0))" } ?? "")
        return try await change(ids, acceptsPending: force) { outbox, ids, transaction in
            let messages = try outbox.messages(ofRows: ids, in: &transaction)
            if !messages.isEmpty { try transaction.run(outbox.removal(ofMessages: messages)) }
            try transaction.run(outbox.discard(ids, note: note))
        }
    }

    /// Deletes rows that were published longer ago than an age, in small transactions, until none is left.
    /// - Parameter age: The age, by the database's clock.
    /// - Returns: How many rows were deleted.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    public func prune(olderThan age: Duration) async throws -> Int {
        let outbox = try await database.transaction(.snapshot) { [database] transaction in
            try Outbox.open(of: database, in: &transaction)
        }
        var pruning = OutboxPruning(outbox: outbox, database: database, age: age)
        while try await pruning.deleteBatch() { try Task.checkCancellation() }
        return pruning.deleted
    }

    private func change(
        _ ids: [Int64],
        acceptsPending: Bool,
        _ body: @escaping @Sendable (Outbox, [Int64], inout Transaction) throws -> Void
    ) async throws -> [(id: Int64, outcome: Outcome)] {
        guard !ids.isEmpty else { return [] }
        return try await database.transaction(.write) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            try transaction.run(outbox.lockLanes(of: ids))
            let found = try transaction.run(outbox.entries(ids)).rows.map { try OutboxEntry($0) }
            let states = Dictionary(found.map { ($0.id, $0.state) }, uniquingKeysWith: { first, _ in first })
            let outcomes = ids.map { id -> (id: Int64, outcome: Outcome) in
                switch states[id] {
                case nil: (id, .notFound)
                case .published: (id, .published)
                case .pending: (id, acceptsPending ? .done : .notFailed)
                case .retrying, .parked: (id, .done)
                }
            }
            let changed = outcomes.filter { $0.outcome == .done }.map(\.id)
            if !changed.isEmpty { try body(outbox, changed, &transaction) }
            return outcomes
        }
    }
}
