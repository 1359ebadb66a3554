public import Dionysus
import DionysusProducer

extension ReplicationTest {
    /// Returns the messages that a change to the source publishes.
    ///
    /// Pending rows are published first and don't count.
    /// - Parameter change: The change, in one transaction.
    /// - Returns: The messages, in all topics that the producer declares.
    /// - Throws: What the change throws, ``ExpectationFailure`` for a row that can't be published, and what the relay
    ///   throws.
    public func published(
        by change: @escaping @Sendable (inout Transaction) throws -> Void
    ) async throws -> [TopicMessage] {
        try await relay()
        let topics = registry?.topics ?? []
        let before = topics.map { messages(in: $0).count }
        try await source.write(change)
        try await relay()
        try await expectNoFailures()
        return zip(topics, before).flatMap { messages(in: $0).dropFirst($1) }
    }

    /// Expects a change to the source to publish exactly these events.
    ///
    ///     try await test.expectPublished(["rental_updated"], in: "v3_rentals") { transaction in
    ///         try transaction.run("UPDATE accounts SET default_check_in_time = 16 WHERE id = 1")
    ///     }
    /// - Parameters:
    ///   - events: The names of the events, in order.
    ///   - topic: The topic's full name; messages in other topics don't matter.
    ///   - change: The change, in one transaction.
    /// - Throws: ``ExpectationFailure`` if other events are published, and as ``published(by:)``.
    public func expectPublished(
        _ events: [String],
        in topic: String,
        by change: @escaping @Sendable (inout Transaction) throws -> Void
    ) async throws {
        let found = try await published(by: change).filter { $0.source.topic == topic }.flatMap(\.events).map(\.name)
        guard found == events else {
            throw ExpectationFailure(
                expected: "the change to publish \(events.list) in \(topic)",
                actual: "it published \(found.list)"
            )
        }
    }

    /// Expects a model to be published when a record is created, changed and deleted.
    ///
    ///     try await test.expectPublishable(rental, in: "v3_rentals") { $0.name = "Another name" }
    ///
    /// The record is inserted, changed and deleted; the records it refers to must exist.
    /// - Parameters:
    ///   - record: A record that doesn't exist yet.
    ///   - topic: The topic's full name.
    ///   - change: Changes the record in a way that is published.
    /// - Throws: ``ExpectationFailure`` if one of the three is not published, and as ``published(by:)``.
    public func expectPublishable<Record: Model>(
        _ record: Record,
        in topic: String,
        changing change: @Sendable (inout Record) -> Void
    ) async throws {
        var changed = record
        change(&changed)
        let steps: [(change: EventName.Change, write: @Sendable (inout Transaction) throws -> Void)] = [
            (.created, { try $0.insert(record) }), (.updated, { [changed] in try $0.update(changed) }),
            (.destroyed, { [changed] in try $0.delete(changed) }),
        ]
        for step in steps {
            let name = EventName(ModelDescription(Record.self).singular, step.change).description
            try await expectPublished([name], in: topic, by: step.write)
        }
    }
}

extension [String] {
    fileprivate var list: String { isEmpty ? "nothing" : joined(separator: ", ") }
}
