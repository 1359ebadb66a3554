public import Dionysus

/// Keeps a projection up to date.
///
/// A consumer's handler, the transaction that appends, or a reader of the table gives it the events.
public struct Projector: EventFollower {
    let projection: any Projection
    public let store: EventStore

    /// Creates a projector.
    /// - Parameters:
    ///   - projection: The projection.
    ///   - store: What knows the types of the events.
    public init(_ projection: any Projection, _ store: EventStore) {
        self.projection = projection
        self.store = store
    }

    /// Creates the projection's tables if they are missing; safe to repeat.
    /// - Throws: What the projection throws, and as ``/Dionysus/Transaction/run(_:)-(SQL)``.
    public func create(in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        let columns = [BulkColumn("categories", .json, [.json(projection.storedCategories)])]
        let added = try transaction.run(
            """
            INSERT INTO dionysus_projections (name, version, categories, generation, updated_at)
            SELECT \(projection.name), \(projection.version), v.categories, 1, \(dialect.now)
            FROM \(dialect.rows(columns, alias: "v")) WHERE true ON CONFLICT (name) DO NOTHING
            """
        )
        if added.affectedRows > 0 { try projection.create(.live, in: &transaction) }
    }

    /// Applies events that have not been applied before.
    /// - Throws: What the projection throws; ``/Dionysus/DionysusError`` with code `conflict` if an event of a stream is
    ///   missing before one of these.
    public func handle(_ events: [RecordedEvent], in transaction: inout Transaction) throws {
        let followed = projection.followed(events)
        guard !followed.isEmpty else { return }
        // Many may work on the tables at once, but none while they are swapped.
        let lock = transaction.dialect.transactionLock(ProjectionState.lock(projection.name), shared: true)
        if !lock.isEmpty { try transaction.run(lock) }
        let state = try ProjectionState.load(projection.name, in: &transaction)
        let positions = StreamPositions(reader: projection.name, generation: state.generation)
        let fresh = store.types.leavingOut(try positions.admit(followed, in: &transaction))
        if !fresh.isEmpty { try projection.apply(fresh, to: .live, in: &transaction) }
    }

    /// The position up to which a stream's events have been applied; 0 if none has.
    public func position(of stream: StreamName, in transaction: inout Transaction) throws -> Int64 {
        let state = try ProjectionState.load(projection.name, in: &transaction)
        return try StreamPositions(reader: projection.name, generation: state.generation)
            .position(of: stream, in: &transaction)
    }
}

extension Projection {
    func followed(_ events: [RecordedEvent]) -> [RecordedEvent] {
        categories.isEmpty ? events : events.filter { $0.stream.isIn(categories) }
    }
}
