public import Dionysus

import struct Foundation.UUID

/// Streams of events in a database.
///
///     let store = EventStore(EventTypes(AdCreated.self, AdPublished.self))
///     try await database.transaction(.write) { transaction in
///         try store.append([NewEvent(AdCreated(…))], to: StreamName("ad", id), expecting: .none, in: &transaction)
///     }
///
/// Everything takes place in the caller's transaction, beside the caller's own statements.
public struct EventStore: Sendable {
    /// Works with events in the transaction that appends them.
    public typealias InlineHandler = @Sendable ([RecordedEvent], inout Transaction) throws -> Void

    /// The event types that it reads and writes.
    public let types: EventTypes
    private var inlineHandlers: [InlineHandler] = []

    /// Creates a store.
    /// - Parameters:
    ///   - types: The event types that it reads and writes.
    public init(_ types: EventTypes) { self.types = types }

    /// Adds work that is done with appended events in their transaction.
    ///
    /// If it fails, nothing is appended.
    /// - Parameter handler: Called with the events of each append, in their order.
    public func handlingInline(_ handler: @escaping InlineHandler) -> EventStore {
        var copy = self
        copy.inlineHandlers.append(handler)
        return copy
    }

    // MARK: Appending

    /// Appends events to a stream, by one statement however many they are.
    ///
    /// Events that the stream has already, by their ids, are not appended again: it returns where they are.
    /// - Parameters:
    ///   - events: The events, at least one.
    ///   - stream: The stream, which need not exist.
    ///   - expected: Where the stream is.
    ///   - transaction: The caller's transaction.
    /// - Returns: Where the events are.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for an invalid name of the stream or reserved names in the
    ///   metadata. ``StreamConflict`` if the stream is elsewhere. After ``StreamConflict/Found/concurrentWriter`` the
    ///   transaction can only be rolled back. Otherwise as ``/Dionysus/Transaction/run(_:)-(SQL)``.
    @discardableResult
    public func append(
        _ events: [NewEvent],
        to stream: StreamName,
        expecting expected: ExpectedPosition = .any,
        in transaction: inout Transaction
    ) throws -> Appended {
        try stream.check()
        guard !events.isEmpty else {
            throw DionysusError(.malformed, "nothing is to be appended to \(stream.description.shown)")
        }
        for event in events { try event.metadata.check() }
        let subjects = events.compactMap { ($0.event as? any PersonalEvent)?.subject }
        let statement = AppendStatement(
            events: events,
            stream: stream,
            expected: expected,
            keys: try SubjectKeys.make(subjects, in: &transaction)
        )
        let sql = try statement.sql(transaction.dialect)
        let inserted: ResultSet
        do {
            inserted = try transaction.run(sql)
        } catch let error as DionysusError where error.code == .constraint {
            throw StreamConflict(stream: stream, expected: expected, found: .concurrentWriter)
        }
        let positions = try inserted.rows.compactMap { try $0.integer(0) }
        guard let first = positions.min(), let last = positions.max() else {
            return try repetition(of: statement, in: &transaction)
        }
        if !inlineHandlers.isEmpty {
            let recorded = try read(stream, from: first, through: last, in: &transaction)
            for handler in inlineHandlers { try handler(recorded, &transaction) }
        }
        return Appended(stream: stream, first: first, last: last, isRepeated: false)
    }

    /// Where events are that have been appended before.
    /// - Throws: The conflict for which nothing was appended.
    private func repetition(of statement: AppendStatement, in transaction: inout Transaction) throws -> Appended {
        let ids = statement.events.map { DatabaseValue.uuid($0.id) }
        let isOne = transaction.dialect.isAny("id", of: ids, type: .uuid)
        let results = try transaction.run([
            AppendStatement.head(of: statement.stream),
            "SELECT stream, position FROM dionysus_stream_events WHERE \(isOne) ORDER BY position",
        ])
        func conflict(_ found: StreamConflict.Found) -> StreamConflict {
            StreamConflict(stream: statement.stream, expected: statement.expected, found: found)
        }
        let places = try results[1].rows.map { (StreamName(try $0.text(0) ?? ""), try $0.integer(1) ?? 0) }
        if let first = places.first, let last = places.last {
            let areAllHere = places.count == ids.count && places.allSatisfy { $0.0 == statement.stream }
            guard areAllHere, last.1 - first.1 + 1 == Int64(ids.count) else { throw conflict(.otherEvents) }
            return Appended(stream: statement.stream, first: first.1, last: last.1, isRepeated: true)
        }
        let head = results[0].first
        let position = try head?.integer(0) ?? 0
        throw conflict(try head?.text(1) == StreamEnded.eventName ? .ended(position) : .position(position))
    }

    /// Ends a stream: nothing can be appended to it any more, and its events stay.
    /// - Parameters:
    ///   - stream: The stream.
    ///   - expected: Where the stream is.
    ///   - metadata: What caused it, and who.
    ///   - transaction: The caller's transaction.
    /// - Throws: As ``append(_:to:expecting:in:)``.
    @discardableResult
    public func end(
        _ stream: StreamName,
        expecting expected: ExpectedPosition = .exists,
        metadata: EventMetadata = EventMetadata(),
        in transaction: inout Transaction
    ) throws -> Appended {
        try append([NewEvent(StreamEnded(), metadata: metadata)], to: stream, expecting: expected, in: &transaction)
    }

    // MARK: Reading

    /// Reads events of a stream.
    /// - Parameters:
    ///   - stream: The stream.
    ///   - first: The lowest position. 1 by default.
    ///   - last: The highest position; nil for the stream's last.
    ///   - isReversed: Whether the highest position comes first.
    ///   - limit: How many events at most; nil for all.
    ///   - isNumbered: Whether the events' global positions are looked up as well.
    ///   - transaction: The caller's transaction.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for an event that no declared type fits, and as
    ///   ``/Dionysus/Transaction/run(_:)-(SQL)``.
    public func read(
        _ stream: StreamName,
        from first: Int64 = 1,
        through last: Int64? = nil,
        reversed isReversed: Bool = false,
        limit: Int? = nil,
        withGlobalPositions isNumbered: Bool = false,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        var statement: SQL = """
            SELECT \(EventRows.columns) FROM dionysus_stream_events AS e
            WHERE e.stream = \(stream.description) AND e.position >= \(first)
            """
        if let last { statement += " AND e.position <= \(last)" }
        statement += " ORDER BY e.position \(raw: isReversed ? "DESC" : "ASC")"
        if let limit { statement += " LIMIT \(limit)" }
        guard isNumbered else { return try EventRows.read(statement, types, in: &transaction) }
        return try EventRows.readNumbered(statement, types, in: &transaction)
    }

    /// The position of a stream's last event.
    /// - Returns: Nil if it has no events.
    public func position(of stream: StreamName, in transaction: inout Transaction) throws -> Int64? {
        try transaction.run(AppendStatement.head(of: stream)).first?.integer(0)
    }

    /// Where an event is.
    /// - Returns: Its stream and position; nil if there is no such event.
    func place(of id: UUID, in transaction: inout Transaction) throws -> (stream: StreamName, position: Int64)? {
        let row = try transaction.run("SELECT stream, position FROM dionysus_stream_events WHERE id = \(id)").first
        guard let row, let stream = try row.text(0), let position = try row.integer(1) else { return nil }
        return (StreamName(stream), position)
    }
}

/// Where appended events are.
public struct Appended: Sendable, Hashable {
    /// Their stream.
    public let stream: StreamName
    /// The position of the first.
    public let first: Int64
    /// The position of the last.
    public let last: Int64
    /// Whether they had been appended before, and nothing was changed.
    public let isRepeated: Bool

    init(stream: StreamName, first: Int64, last: Int64, isRepeated: Bool) {
        self.stream = stream
        self.first = first
        self.last = last
        self.isRepeated = isRepeated
    }

    /// One place in a stream, for waiting until it has been read.
    /// - Parameters:
    ///   - stream: The stream.
    ///   - position: The position in the stream.
    public init(stream: StreamName, position: Int64) {
        self.init(stream: stream, first: position, last: position, isRepeated: true)
    }
}
