public import Dionysus

/// Makes a projection's tables anew from the events, beside those that are read, and then swaps them.
///
/// The tables that are read stay up to date meanwhile, and nobody waits but during the swap. A rebuild that was killed is
/// continued by the next one.
public struct ProjectionRebuild: Sendable {
    /// What a rebuild has done.
    public struct Report: Sendable, Hashable {
        /// How many events it has applied.
        public var events = 0
        /// Whether it has continued one that had not ended.
        public var wasResumed = false
    }

    private let projector: Projector
    private let database: any Database
    private let batchSize: Int

    /// Leaves readers of the tables time between attempts.
    private static let swapBackoff = Backoff(initial: .milliseconds(50), maximum: .seconds(1))

    private var projection: any Projection { projector.projection }
    private var name: String { projector.projection.name }

    /// Creates a rebuild.
    /// - Parameters:
    ///   - database: The database with the streams and the projection.
    ///   - batchSize: How many events a transaction applies. Default 5,000.
    public init(of projector: Projector, on database: any Database, batchSize: Int = 5_000) {
        self.projector = projector
        self.database = database
        self.batchSize = max(batchSize, 1)
    }

    /// Rebuilds and swaps.
    /// - Parameter onProgress: Called after each transaction with the number of events so far.
    /// - Throws: What the projection throws, and as ``Dionysus/Database/transaction(_:_:)``.
    public func run(onProgress: (Int) async throws -> Void = { _ in }) async throws -> Report {
        var report = Report()
        report.wasResumed = try await database.retryingConcurrentWrites { try begin(in: &$0) }
        while true {
            try await EventOrder().extend(on: database)
            let applied = try await database.retryingConcurrentWrites { try applyBatch(in: &$0) }
            report.events += applied
            try await onProgress(report.events)
            guard applied < batchSize else { continue }
            if let last = try await database.retryingConcurrentWrites(Self.swapBackoff, { try swap(in: &$0) }) {
                report.events += last
                return report
            }
        }
    }

    /// Creates the new tables, unless there are some that a rebuild of this version has begun.
    /// - Returns: Whether there are.
    private func begin(in transaction: inout Transaction) throws -> Bool {
        var state = try ProjectionState.load(name, forUpdate: true, in: &transaction)
        if let rebuild = state.rebuild, rebuild.version == projection.version { return true }
        let next = state.generation + 1
        for table in projection.tables {
            try transaction.run("DROP TABLE IF EXISTS \(identifier: ProjectionTables.aside(next)[table])")
        }
        try clear(next, in: &transaction)
        try projection.create(.aside(next), in: &transaction)
        state.rebuild = (0, projection.version)
        try state.store(name, in: &transaction)
        return false
    }

    /// Applies the next events to the new tables.
    /// - Returns: How many there were.
    private func applyBatch(in transaction: inout Transaction) throws -> Int {
        var state = try ProjectionState.load(name, forUpdate: true, in: &transaction)
        return try apply(&state, upTo: batchSize, in: &transaction)
    }

    private func apply(_ state: inout ProjectionState, upTo limit: Int, in transaction: inout Transaction) throws -> Int
    {
        guard let rebuild = state.rebuild else {
            throw DionysusError(.conflict, "another process has ended the rebuild of projection \(name)")
        }
        guard rebuild.version == projection.version else {
            throw DionysusError(
                .conflict,
                "another process has begun to rebuild projection \(name) in version \(rebuild.version) instead of "
                    + "version \(projection.version)",
                advice: "let one version of the application rebuild the projection"
            )
        }
        let first = rebuild.position
        let end: SQL = "SELECT coalesce(max(sequence), 0) FROM dionysus_stream_events"
        // Numbers have no gaps, so that the last one of a batch is known.
        let last = min(try transaction.run(end).first?.integer(0) ?? 0, first + Int64(limit))
        guard last > first else { return 0 }
        let events = try projector.store.readAll(
            after: first,
            through: last,
            categories: projection.categories,
            in: &transaction
        )
        let next = state.generation + 1
        if !events.isEmpty { try projection.apply(events, to: .aside(next), in: &transaction) }
        let isFollowed: SQL =
            projection.categories.isEmpty ? "true" : EventStore.isIn(projection.categories, "e.stream")
        try transaction.run(
            """
            INSERT INTO dionysus_stream_positions (reader, generation, stream, position)
            SELECT \(name), \(next), e.stream, max(e.position) FROM dionysus_stream_events AS e
            WHERE e.sequence > \(first) AND e.sequence <= \(last) AND \(isFollowed) GROUP BY e.stream
            ON CONFLICT (reader, generation, stream) DO UPDATE SET position = excluded.position
            """
        )
        state.rebuild?.position = last
        try state.store(name, in: &transaction)
        return Int(last - first)
    }

    /// Applies what has been appended since, while nobody else works on the tables, and swaps them.
    /// - Returns: How many events it has applied; nil if there were too many to keep others waiting.
    private func swap(in transaction: inout Transaction) throws -> Int? {
        // Of two locks the one of the order is taken first, as everywhere.
        let dialect = transaction.dialect
        let locks =
            dialect.transactionLock(EventOrder.lock)
            + dialect.transactionLock(ProjectionState.lock(name), shared: false)
        if !locks.isEmpty { try transaction.run(locks) }
        var state = try ProjectionState.load(name, forUpdate: true, in: &transaction)
        var applied = 0
        // Whoever has applied an event to the old tables has committed it, or waits for the lock.
        while true {
            let ordered = try EventOrder().extend(in: &transaction)
            let count = try apply(&state, upTo: batchSize, in: &transaction)
            applied += count
            guard applied <= batchSize else { return nil }
            if ordered == 0, count == 0 { break }
        }
        // New readers queue behind the wait for those that are reading: a short one.
        if let database = database as? any CapturingDatabase {
            let timeout = database.outbox.lockTimeout(.milliseconds(200))
            if !timeout.isEmpty { try transaction.run(timeout) }
        }
        let next = state.generation + 1
        for table in projection.tables {
            let (old, new) = (ProjectionTables.aside(state.generation)[table], ProjectionTables.aside(next)[table])
            try transaction.run([
                "ALTER TABLE \(identifier: table) RENAME TO \(identifier: old)",
                "ALTER TABLE \(identifier: new) RENAME TO \(identifier: table)",
                "DROP TABLE \(identifier: old)",
            ])
        }
        try clear(state.generation, in: &transaction)
        state.generation = next
        state.rebuild = nil
        try state.store(name, in: &transaction)
        return applied
    }

    private func clear(_ generation: Int64, in transaction: inout Transaction) throws {
        try transaction.run(
            "DELETE FROM dionysus_stream_positions WHERE reader = \(name) AND generation = \(generation)"
        )
    }
}
