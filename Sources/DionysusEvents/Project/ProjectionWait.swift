public import Dionysus

extension Projector {
    /// Waits until a projection has applied what was appended.
    ///
    ///     let decision = try await ads.execute(.publish, on: id, database)
    ///     if let appended = decision.appended { try await board.wait(for: appended, on: database) }
    /// - Parameters:
    ///   - appended: What ``EventStore/append(_:to:expecting:in:)`` returned.
    ///   - database: The database with the projection.
    ///   - timeout: How long to wait at most.
    /// - Throws: ``/Dionysus/DionysusError`` with code `timeout`, and as ``/Dionysus/Database/transaction(_:_:)``.
    public func wait(for appended: Appended, on database: any Database, timeout: Duration = .seconds(10)) async throws {
        let (stream, last) = (appended.stream, appended.last)
        try await wait(timeout, "position \(last) of stream \(stream.description.shown)") {
            try await database.transaction(.snapshot) { try position(of: stream, in: &$0) } >= last
        }
    }

    /// Waits until a projection has applied every event up to a global position.
    ///
    /// - Parameters:
    ///   - position: The global position.
    ///   - database: The database with the projection and the streams.
    ///   - timeout: How long to wait at most.
    /// - Throws: As ``wait(for:on:timeout:)``.
    public func wait(
        forGlobalPosition position: Int64,
        on database: any Database,
        timeout: Duration = .seconds(10)
    ) async throws {
        try await wait(timeout, "global position \(position)") {
            try await EventOrder().extend(on: database)
            let (mark, found) = try await database.transaction(.snapshot) { try look(through: position, in: &$0) }
            try await mark.move(to: found, on: database)
            return found >= position
        }
    }

    /// Looks how far the projection is.
    /// - Returns: Where it began to look, and the global position up to which every event is applied.
    private func look(
        through position: Int64,
        in transaction: inout Transaction
    ) throws -> (mark: ProjectionMark, position: Int64) {
        let state = try ProjectionState.load(projection.name, in: &transaction)
        let mark = try ProjectionMark.load(projection.name, generation: state.generation, in: &transaction)
        let last = try transaction.run("SELECT \(EventOrder.last)").first?.integer(0) ?? 0
        let progress = try ProjectionProgress.find(
            after: mark,
            projection.categories,
            through: min(position, last),
            in: &transaction
        )
        return (mark, progress.position)
    }

    private func wait(_ timeout: Duration, _ place: String, until isReached: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + timeout
        let backoff = Backoff(initial: .milliseconds(5), maximum: .milliseconds(100))
        var attempts = 0
        while try await !isReached() {
            attempts += 1
            guard ContinuousClock.now < deadline else {
                throw DionysusError(
                    .timeout,
                    "projection \(projection.name) has not reached \(place) within \(timeout)",
                    advice: "see whether the relay and the consumer run, and how far they are behind",
                    isRetriable: true
                )
            }
            try await Task.sleep(for: backoff.delay(afterFailures: attempts))
        }
    }
}
