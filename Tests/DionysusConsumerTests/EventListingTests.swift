import Dionysus
import TestSupport
import Testing

@testable import DionysusConsumer

/// The event log as phobos' API lists it, and what it costs to find the newest of many.
@Suite(.timeLimit(.minutes(10))) struct EventListingTests {
    private static let group = ConsumerSettings.forTests.effectiveGroupID

    @Test(arguments: TestDatabaseKind.available)
    func `events are listed by their time, those without one last`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .rental(.created, 1, name: "a", updatedAt: "2026-01-02T00:00:00Z"),
                .rental(.updated, 2, name: "b"),
                .rental(.updated, 3, name: "c", updatedAt: "2026-01-03T00:00:00Z"),
                .rental(.updated, 4, name: "d"),
                .rental(.created, 5, name: "e", updatedAt: "2026-01-01T00:00:00Z")
            )
            try await replica.consume(Mirror.rentals { $0.eventLog() })
            func listed(_ filter: EventLogFilter, offset: Int = 0) async throws -> [String] {
                try await replica.database.recentEvents(of: Self.group, filter, offset: offset)
                    .compactMap(\.entityID)
            }
            #expect(try await listed(EventLogFilter()) == ["3", "1", "5", "4", "2"])
            #expect(try await listed(EventLogFilter(limit: 2), offset: 1) == ["1", "5"])
            #expect(try await listed(EventLogFilter(type: "rental_created")) == ["1", "5"])
            #expect(try await listed(EventLogFilter(topic: "v3_rentals"), offset: 3) == ["4", "2"])
            #expect(try await listed(EventLogFilter(topic: "v3_none")) == [])
            #expect(try await replica.database.recentEvents(of: "another", EventLogFilter()) == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the newest of many events are found by an index, whatever is asked for`(_ kind: TestDatabaseKind) async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.fill(events: 30_000)
            try await replica.execute("ANALYZE")
            let questions: [(EventLogFilter, index: String)] = [
                (EventLogFilter(), "dionysus_events_times"),
                (EventLogFilter(topic: "v3_topic_1"), "dionysus_events_times"),
                (EventLogFilter(type: "rental_3"), "dionysus_events_times"),
                (EventLogFilter(topic: "v3_topic_1", type: "rental_5"), "dionysus_events_times"),
                (EventLogFilter(entityID: "7"), "dionysus_events_entity"),
            ]
            for (filter, index) in questions {
                let plan = try await replica.plan(of: filter.newest(of: Self.group, offset: 100), kind)
                #expect(plan.contains { $0.contains(index) }, "\(index): \(plan)")
                #expect(!plan.contains { $0.contains("Seq Scan on dionysus_events") }, "\(plan)")
                #expect(!plan.contains { $0.hasPrefix("SCAN dionysus_events") }, "\(plan)")
            }
        }
    }
}

extension ReplicaHarness {
    /// Logs events of four topics and ten kinds, one a second.
    fileprivate func fill(events count: Int) async throws {
        let group = ConsumerSettings.forTests.effectiveGroupID
        let times = (0..<count).map { Timestamp(microseconds: 1_700_000_000_000_000 + Int64($0) * 1_000_000) }
        let columns = [
            BulkColumn("number", .integer, (1...Int64(count)).map { .integer($0) }),
            BulkColumn("topic", .text, (0..<count).map { .text("v3_topic_\($0 % 4)") }),
            BulkColumn("type", .text, (0..<count).map { .text("rental_\($0 % 10)") }),
            BulkColumn("time", .timestamp, times.map(DatabaseValue.timestamp)),
        ]
        try await database.transaction(.write) { transaction in
            let dialect = transaction.dialect
            _ = try transaction.run(
                """
                INSERT INTO dionysus_events ("group", topic, "partition", "offset", event_number, headers, model, entity_id,
                  event_time, event_type, checksum, identity, payload, written_at, attempts, created_at, handled_at)
                SELECT \(group), v.topic, 0, v.number, 0, '[]', 'Rental', CAST(v.number AS text), v.time, v.type, '',
                  CAST(v.number AS text), '{}', v.time, 1, \(dialect.now), \(dialect.now)
                FROM \(dialect.rows(columns, alias: "v"))
                """
            )
        }
    }
}
