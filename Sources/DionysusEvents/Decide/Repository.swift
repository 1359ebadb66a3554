public import Dionysus

public import struct Foundation.UUID

/// Loads the state of streams, decides, and appends.
///
///     let ads = Repository(Ads(), category: "ad", store)
///     try await ads.execute(.publish, on: id, database)
public struct Repository<Rules: Decider>: Sendable {
    /// The state of a stream.
    public struct Loaded: Sendable {
        /// The state.
        public var state: Rules.State
        /// The position of the stream's last event; 0 if it has none.
        public var position: Int64
        var snapshotPosition: Int64
    }

    /// What a command has led to.
    public struct Decision: Sendable {
        /// Where the new events are; nil if the command led to none.
        public var appended: Appended?
        /// The position of the stream's last event; 0 if it has none.
        public var position: Int64
        /// The state after the events.
        public var state: Rules.State
    }

    private let rules: Rules
    private let category: String
    private let store: EventStore
    private let snapshots: SnapshotPolicy<Rules.State>?

    /// Creates a repository.
    /// - Parameters:
    ///   - rules: The decider.
    ///   - category: The category of the streams.
    ///   - store: The store of their events.
    ///   - snapshots: How often states are stored; nil for never.
    public init(_ rules: Rules, category: String, _ store: EventStore, snapshots: SnapshotPolicy<Rules.State>? = nil) {
        self.rules = rules
        self.category = category
        self.store = store
        self.snapshots = snapshots
    }

    /// The stream with an id.
    public func stream(_ id: String) -> StreamName { StreamName(category, id) }

    /// Loads the state of a stream.
    /// - Throws: As ``EventStore/read(_:from:through:reversed:limit:withGlobalPositions:in:)``.
    public func load(_ id: String, in transaction: inout Transaction) throws -> Loaded {
        let snapshot = try snapshots?.load(stream(id), in: &transaction)
        var loaded = Loaded(
            state: snapshot?.state ?? rules.initialState,
            position: snapshot?.position ?? 0,
            snapshotPosition: snapshot?.position ?? 0
        )
        for event in try store.read(stream(id), from: loaded.position + 1, in: &transaction) {
            rules.evolve(&loaded.state, event.event)
            loaded.position = event.position
        }
        return loaded
    }

    /// Loads the state of a stream in a transaction of its own.
    /// - Throws: As ``load(_:in:)``.
    public func load(_ id: String, on database: any Database) async throws -> Loaded {
        try await database.transaction(.snapshot) { try load(id, in: &$0) }
    }

    /// Executes a command in the caller's transaction.
    ///
    /// If another writer has appended to the stream since its state was loaded, the state is loaded again and the command
    /// decided anew, unless a position is expected.
    /// - Parameters:
    ///   - command: The command.
    ///   - id: The id of the stream in its category.
    ///   - position: Where the stream must be; nil for anywhere.
    ///   - commandID: The id of the command. A command whose events have been appended before leads to nothing more. Events
    ///     get ids that are derived from it.
    ///   - metadata: What caused the events, and who.
    ///   - transaction: The caller's transaction.
    /// - Returns: What it has led to.
    /// - Throws: What the decider throws; ``StreamConflict`` as ``EventStore/append(_:to:expecting:in:)``.
    @discardableResult
    public func execute(
        _ command: Rules.Command,
        on id: String,
        expecting position: Int64? = nil,
        commandID: UUID? = nil,
        metadata: EventMetadata = EventMetadata(),
        in transaction: inout Transaction
    ) throws -> Decision {
        try execute(
            command,
            on: id,
            expecting: position,
            commandID: commandID,
            metadata: metadata,
            retries: 10,
            in: &transaction
        )
    }

    private func execute(
        _ command: Rules.Command,
        on id: String,
        expecting position: Int64?,
        commandID: UUID?,
        metadata: EventMetadata,
        retries: Int,
        in transaction: inout Transaction
    ) throws -> Decision {
        let stream = stream(id)
        var loaded = try load(id, in: &transaction)
        if let commandID, let place = try store.place(of: .derived(from: commandID, "0"), in: &transaction) {
            guard place.stream == stream else {
                throw StreamConflict(stream: stream, expected: .any, found: .otherEvents)
            }
            let appended = Appended(stream: stream, first: place.position, last: place.position, isRepeated: true)
            return Decision(appended: appended, position: loaded.position, state: loaded.state)
        }
        if let position, position != loaded.position {
            throw StreamConflict(stream: stream, expected: .position(position), found: .position(loaded.position))
        }
        let decided = try rules.decide(command, loaded.state)
        guard !decided.isEmpty else {
            return Decision(appended: nil, position: loaded.position, state: loaded.state)
        }
        let events = decided.enumerated()
            .map { index, event in
                let id = commandID.map { UUID.derived(from: $0, "\(index)") } ?? .newEventID()
                return NewEvent(event, id: id, metadata: metadata)
            }
        let expected = ExpectedPosition.position(loaded.position)
        let appended: Appended
        do {
            appended = try store.append(events, to: stream, expecting: expected, in: &transaction)
        } catch let error as StreamConflict {
            // Only if nothing was appended: the conflict is not one of an inline handler.
            guard case .position = error.found, error.stream == stream, error.expected == expected, position == nil,
                retries > 0
            else { throw error }
            return try execute(
                command,
                on: id,
                expecting: nil,
                commandID: commandID,
                metadata: metadata,
                retries: retries - 1,
                in: &transaction
            )
        }
        for event in decided { rules.evolve(&loaded.state, event) }
        if let snapshots, appended.last - loaded.snapshotPosition >= snapshots.interval {
            try snapshots.store(loaded.state, of: stream, at: appended.last, in: &transaction)
        }
        return Decision(appended: appended, position: appended.last, state: loaded.state)
    }

    /// Executes a command in a transaction of its own.
    ///
    /// If another writer appends to the stream in the meantime, the state is loaded again and the command decided anew,
    /// unless a position is expected.
    ///
    /// The parameters are those of ``execute(_:on:expecting:commandID:metadata:in:)``.
    /// - Parameters:
    ///   - command: The command.
    ///   - id: The stream's id within its category.
    ///   - position: The position at which the stream must stand; nil for any.
    ///   - commandID: The command's id, so that it is executed once however often it is sent; nil for none.
    ///   - metadata: The metadata of the events.
    ///   - retries: How often the command is decided anew at most. Default 10.
    ///   - database: The database with the streams.
    @discardableResult
    public func execute(
        _ command: Rules.Command,
        on id: String,
        expecting position: Int64? = nil,
        commandID: UUID? = nil,
        metadata: EventMetadata = EventMetadata(),
        retries: Int = 10,
        _ database: any Database
    ) async throws -> Decision {
        try await database.retryingConcurrentWrites { transaction in
            try execute(
                command,
                on: id,
                expecting: position,
                commandID: commandID,
                metadata: metadata,
                retries: retries,
                in: &transaction
            )
        }
    }
}
