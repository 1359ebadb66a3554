public import Dionysus

/// Checks what events make of a projection's tables, in a transaction that is rolled back.
///
///     try await ProjectionSpecification(AdBoard(), on: database)
///         .given(AdCreated(title: "Bike", price: 120), AdPublished(), in: StreamName("ad", id))
///         .then("SELECT title, state FROM ad_board", ["Bike | published"])
///
/// The database need not have anything in it, and may be in memory. The events are applied twice, all at once and one by
/// one, which must make the same rows.
public struct ProjectionSpecification: Sendable {
    private let projection: any Projection
    private let database: any Database
    private var events: [RecordedEvent] = []
    private var positions: [StreamName: Int64] = [:]

    /// Creates a specification without events.
    /// - Parameters:
    ///   - projection: The projection.
    ///   - database: A database without the projection's tables.
    public init(_ projection: any Projection, on database: any Database) {
        self.projection = projection
        self.database = database
    }

    /// Adds events; those of other categories than the projection's are left out.
    /// - Parameters:
    ///   - events: The events.
    ///   - stream: Their stream.
    public func given(_ events: any Event..., in stream: StreamName) throws -> ProjectionSpecification {
        var copy = self
        for event in events {
            copy.positions[stream, default: 0] += 1
            let recorded = try RecordedEvent(
                event,
                id: .newEventID(),
                stream: stream,
                position: copy.positions[stream] ?? 1,
                globalPosition: nil
            )
            copy.events += projection.followed([recorded])
        }
        return copy
    }

    /// Expects rows, no others, in this order.
    /// - Parameters:
    ///   - query: Selects them.
    ///   - expected: A line for each row: its values, with ` | ` between them.
    /// - Throws: ``SpecificationFailure`` that shows where they differ, and what the projection throws.
    public func then(_ query: SQL, _ expected: [String]) async throws {
        let actual = try await rows(query, events.isEmpty ? [] : [events])
        if let difference = LineDifference.text(expected: expected, actual: actual) {
            throw SpecificationFailure(description: "the rows differ, expected (-) and actual (+):\n\(difference)")
        }
        let single = try await rows(query, events.map { [$0] })
        if let difference = LineDifference.text(expected: actual, actual: single) {
            throw SpecificationFailure(
                description: "the rows depend on the batches, all at once (-) and one by one (+):\n\(difference)"
            )
        }
    }

    private func rows(_ query: SQL, _ batches: [[RecordedEvent]]) async throws -> [String] {
        do {
            try await database.transaction(.write) { transaction in
                try projection.create(.live, in: &transaction)
                for batch in batches { try projection.apply(batch, to: .live, in: &transaction) }
                let result = try transaction.run(query)
                throw RolledBack(
                    rows: result.rows.map { row in
                        result.columns.indices.map { Self.text(row[$0]) }.joined(separator: " | ")
                    }
                )
            }
        } catch let end as RolledBack {
            return end.rows
        }
        return []
    }

    private static func text(_ value: DatabaseValue) -> String {
        switch JSON(databaseValue: value) {
        case .string(let text), .number(let text): text
        case let other: other.text
        }
    }

    /// Ends the transaction without a trace.
    private struct RolledBack: Error {
        var rows: [String]
    }
}
