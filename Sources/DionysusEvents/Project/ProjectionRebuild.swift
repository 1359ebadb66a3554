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
    /// After so many events the last positions of the streams are noted; for each batch it would cost as much as the batch.
    private static let notingInterval: Int64 = 200_000

    private var projection: any Projection { projector.projection }
    private var name: String { projector.projection.name }

    /// Creates a rebuild.
    /// - Parameters:
    ///   - projector: The projector of the projection.
    ///   - database: The database with the streams and the projection.
    ///   - batchSize: How many events a transaction applies. Default 20,000. Twice as many are in memory.
    public init(of projector: Projector, on database: any Database, batchSize: Int = 20_000) {
        self.projector = projector
        self.database = database
        self.batchSize = max(batchSize, 1)
    }

    /// Rebuilds and swaps.
    /// - Parameter onProgress: Called after each transaction with the number of events so far.
    /// - Throws: What the projection throws, and as ``/Dionysus/Database/transaction(_:_:)``.
    public func run(onProgress: (Int) async throws -> Void = { _ in }) async throws -> Report {
        var report = Report()
        report.wasResumed = try await database.retryingConcurrentWrites { try begin(in: &$0) }
        var readAhead: Batch?
        while true {
            let batch: Batch
            if let next = readAhead { batch = next } else { batch = try await current() }
            // The next batch is read and decoded while this one is applied.
            async let next = following(batch)
            let isApplied = try await database.retryingConcurrentWrites { try apply(batch, in: &$0) }
            readAhead = try await next
            guard isApplied else {
                readAhead = nil
                continue
            }
            report.events += batch.count
            try await onProgress(report.events)
            guard readAhead == nil else { continue }
            try await database.retryingConcurrentWrites { try notePositions(in: &$0) }
            if let last = try await database.retryingConcurrentWrites(Self.swapBackoff, { try swap(in: &$0) }) {
                report.events += last
                try await database.retryingConcurrentWrites { try clearOld(in: &$0) }
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
        // Those of a rebuild that was killed are among them.
        try transaction.run(
            "DELETE FROM dionysus_stream_positions WHERE reader = \(name) AND generation <> \(state.generation)"
        )
        try projection.create(.aside(next), in: &transaction)
        state.rebuild = ProjectionState.Rebuild(version: projection.version)
        try state.store(projection, in: &transaction)
        return false
    }

    // MARK: Batches

    /// Events that follow one another in the global order, of which those of other categories are left out.
    private struct Batch: Sendable {
        var first: Int64
        var last: Int64
        var events: [RecordedEvent]

        var count: Int { Int(last - first) }
    }

    /// The batch after those that are applied.
    private func current() async throws -> Batch {
        try await EventOrder().extend(on: database)
        return try await database.transaction(.snapshot) { transaction in
            let position = try rebuild(ProjectionState.load(name, in: &transaction)).position
            return try batch(after: position, in: &transaction)
        }
    }

    /// The batch after another one; nil if that one was the last.
    private func following(_ batch: Batch) async throws -> Batch? {
        guard batch.count == batchSize else { return nil }
        return try await database.transaction(.snapshot) { try self.batch(after: batch.last, in: &$0) }
    }

    private func batch(after first: Int64, in transaction: inout Transaction) throws -> Batch {
        let end = try transaction.run("SELECT \(EventOrder.last)").first?.integer(0) ?? 0
        let last = max(min(end, first + Int64(batchSize)), first)
        let events = try projector.store.readPart(
            after: first,
            through: last,
            categories: projection.categories,
            in: &transaction
        )
        return Batch(first: first, last: last, events: events)
    }

    /// Applies events to the new tables.
    /// - Returns: Whether they were next: another process may be at the same rebuild.
    private func apply(_ batch: Batch, in transaction: inout Transaction) throws -> Bool {
        var state = try ProjectionState.load(name, forUpdate: true, in: &transaction)
        guard try rebuild(state).position == batch.first else { return false }
        try apply(batch, &state, in: &transaction)
        if let rebuild = state.rebuild, rebuild.position - rebuild.noted >= Self.notingInterval {
            try notePositions(&state, in: &transaction)
        }
        try state.store(projection, in: &transaction)
        return true
    }

    private func apply(_ batch: Batch, _ state: inout ProjectionState, in transaction: inout Transaction) throws {
        if !batch.events.isEmpty {
            try projection.apply(batch.events, to: .aside(state.generation + 1), in: &transaction)
        }
        state.rebuild?.position = batch.last
    }

    private func rebuild(_ state: ProjectionState) throws -> ProjectionState.Rebuild {
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
        return rebuild
    }

    // MARK: Positions of streams

    private func notePositions(in transaction: inout Transaction) throws {
        var state = try ProjectionState.load(name, forUpdate: true, in: &transaction)
        _ = try rebuild(state)
        try notePositions(&state, in: &transaction)
        try state.store(projection, in: &transaction)
    }

    /// Notes the last position of each stream whose events have been applied.
    private func notePositions(_ state: inout ProjectionState, in transaction: inout Transaction) throws {
        guard let rebuild = state.rebuild, rebuild.position > rebuild.noted else { return }
        let stretch = try EventStretch.load(after: rebuild.noted, through: rebuild.position, in: &transaction)
        let isFollowed: SQL =
            projection.categories.isEmpty ? "true" : EventStore.isIn(projection.categories, "e.stream")
        try transaction.run(
            """
            INSERT INTO dionysus_stream_positions (reader, generation, stream, position)
            SELECT \(name), \(state.generation + 1), e.stream, max(e.position) FROM dionysus_stream_events AS e
            WHERE \(stretch.condition) AND \(isFollowed) GROUP BY e.stream
            ON CONFLICT (reader, generation, stream) DO UPDATE SET position = excluded.position
            """
        )
        state.rebuild?.noted = rebuild.position
    }

    // MARK: Swapping

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
            let batch = try batch(after: rebuild(state).position, in: &transaction)
            try apply(batch, &state, in: &transaction)
            applied += batch.count
            guard applied <= batchSize else { return nil }
            if ordered == 0, batch.count == 0 { break }
        }
        try notePositions(&state, in: &transaction)
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
        try ProjectionMark(name: name, generation: next, sequence: rebuild(state).position).store(in: &transaction)
        state.version = projection.version
        state.generation = next
        state.rebuild = nil
        try state.store(projection, in: &transaction)
        return applied
    }

    /// Deletes the positions of earlier generations, for which nobody has to wait.
    private func clearOld(in transaction: inout Transaction) throws {
        let state = try ProjectionState.load(name, in: &transaction)
        try transaction.run(
            "DELETE FROM dionysus_stream_positions WHERE reader = \(name) AND generation < \(state.generation)"
        )
    }
}
