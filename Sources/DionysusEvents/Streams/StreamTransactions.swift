public import Dionysus

extension EventStore {
    /// Appends events in a transaction of its own.
    ///
    /// If another writer appends in the same moment, it tries again: it then either succeeds or finds the conflict.
    /// - Parameters:
    ///   - events: The events, at least one.
    ///   - stream: The stream.
    ///   - expected: Where the stream is.
    ///   - database: The database with the stream.
    /// - Returns: Where the events are.
    /// - Throws: ``StreamConflict`` if the stream is elsewhere, and as ``/Dionysus/Database/transaction(_:_:)``.
    @discardableResult
    public func append(
        _ events: [NewEvent],
        to stream: StreamName,
        expecting expected: ExpectedPosition = .any,
        on database: any Database
    ) async throws -> Appended {
        try await database.retryingConcurrentWrites { transaction in
            try append(events, to: stream, expecting: expected, in: &transaction)
        }
    }

    /// Reads events of a stream in a transaction of its own.
    ///
    /// The parameters are those of ``read(_:from:through:reversed:limit:withGlobalPositions:in:)``.
    public func read(
        _ stream: StreamName,
        from first: Int64 = 1,
        through last: Int64? = nil,
        reversed isReversed: Bool = false,
        limit: Int? = nil,
        withGlobalPositions isNumbered: Bool = false,
        on database: any Database
    ) async throws -> [RecordedEvent] {
        try await database.transaction(.snapshot) { transaction in
            try read(
                stream,
                from: first,
                through: last,
                reversed: isReversed,
                limit: limit,
                withGlobalPositions: isNumbered,
                in: &transaction
            )
        }
    }
}

extension Database {
    /// Runs a transaction again if another writer has appended to one of its streams in the same moment.
    /// - Parameter backoff: How long it waits before it tries again.
    func retryingConcurrentWrites<T: Sendable>(
        _ backoff: Backoff = Backoff(initial: .milliseconds(1), maximum: .milliseconds(50)),
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        var failures = 0
        while true {
            do {
                return try await transaction(.write, body)
            } catch let error as StreamConflict where error.found == .concurrentWriter && failures < 100 {
                failures += 1
            } catch let error as DionysusError where error.code == .transactionConflict && failures < 100 {
                failures += 1
            }
            try await Task.sleep(for: backoff.delay(afterFailures: failures))
        }
    }
}
