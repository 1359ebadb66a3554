import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Batches whose records all seem to be new, or all known, are written without looking them up first.
@Suite struct AssumedRecordsTests {
    private static func settings(batchSize: Int) -> ConsumerSettings {
        var settings = ConsumerSettings.forTests
        settings.batchSize = batchSize
        return settings
    }

    private static func updated(_ id: Int, _ name: String, version: Int64?, at time: String? = nil) -> WireMessage {
        let time = time.map { #","updated_at":"\#($0)""# } ?? ""
        return .event(
            "rental_updated",
            "Rental",
            #"{"id":\#(id),"name":"\#(name)\#(id)"\#(time),"links":{}}"#,
            version: version
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `after batches of new records, one with a known record or a destroyed one is decided like any other`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .rental(.created, 90, name: "newer", version: 5),
                .rental(.created, 91, name: "older", version: 1),
                .rental(.created, 92, version: 1),
                .rental(.destroyed, 92, version: 7)
            )
            try await replica.consume()
            try await replica.publish(
                (1...6).map { .rental(.created, $0, name: "new \($0)", version: 1) }
                    + [
                        .rental(.created, 7, name: "new 7", version: 1),
                        .rental(.created, 90, name: "late", version: 4),
                        .rental(.created, 91, name: "again", version: 4),
                        .rental(.created, 92, name: "back", version: 4),
                        .rental(.created, 8, name: "new 8", version: 1),
                        .rental(.created, 9, name: "new 9", version: 1),
                    ]
            )
            try await replica.consume(settings: Self.settings(batchSize: 2))
            let names = try await replica.rows(rentalNames)
            #expect(names == (1...9).map { "\($0) new \($0)" } + ["90 newer", "91 again"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func
        `updates of known records tell what they changed, and an older one, an equal one and one of an unknown record do what they should`(
            _ kind: TestDatabaseKind
        ) async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...4).map { .rental(.created, $0, name: "a\($0)", version: 2) })
            try await replica.consume()
            try await replica.publish(
                // All newer.
                Self.updated(1, "b", version: 3),
                Self.updated(2, "b", version: 3),
                // One older.
                Self.updated(3, "c", version: 1),
                Self.updated(4, "c", version: 3),
                // One of the same version, and one that isn't known.
                Self.updated(1, "d", version: 3),
                Self.updated(5, "d", version: 1),
                // Without a version.
                Self.updated(2, "e", version: nil),
                Self.updated(4, "e", version: 4),
                // Twice the same record.
                Self.updated(3, "f", version: 5),
                Self.updated(3, "g", version: 4)
            )
            let changes = Collected<String>()
            let mirror = Mirror(onConsume: { event in
                for (record, columns) in event.localChanges {
                    let name = columns["name"].map { "\($0.old.text)→\($0.new.text)" } ?? "same name"
                    changes.add("\(record.id.text) \(name)")
                }
            })
            try await replica.consume(mirror, settings: Self.settings(batchSize: 2))
            #expect(try await replica.rows(rentalNames) == ["1 d1", "2 e2", "3 f3", "4 e4", "5 d5"])
            #expect(
                changes.all == [
                    "1 a1→b1", "2 a2→b2", "4 a4→c4", "1 b1→d1", "5 -→d5", "2 b2→e2", "4 c4→e4", "3 a3→f3",
                ]
            )
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a known record keeps the finer of two equal times, and a time may go back with a newer version`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.updated(1, "a", version: 1, at: "2026-01-02T03:04:05.678912Z"),
                Self.updated(2, "a", version: 1, at: "2026-01-02T03:04:05.000000Z")
            )
            try await replica.consume()
            try await replica.publish(
                Self.updated(1, "b", version: 2, at: "2026-01-02T03:04:05.678Z"),
                Self.updated(2, "b", version: 2, at: "2026-01-01T00:00:00.000000Z")
            )
            try await replica.consume(settings: Self.settings(batchSize: 2))
            // With a time as old as the first, and no version, an update is as old as the row.
            try await replica.publish(Self.updated(1, "c", version: nil, at: "2026-01-02T03:04:05.678900Z"))
            try await replica.consume()
            #expect(try await replica.rows(rentalNames) == ["1 b1", "2 b2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what is done about committed events keeps their order, and has ended when the consumer has`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...50).map { .rental(.created, $0, name: "rental \($0)", version: 1) })
            let events = Collected<Int64>()
            let mirror = Mirror(onConsume: { event in
                // Slower than writing the next batch.
                for _ in 0..<200 { await Task.yield() }
                events.add(event.offset)
            })
            try await replica.consume(mirror, settings: Self.settings(batchSize: 5))
            #expect(events.all == Array(0..<50))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record that was destroyed stays away when it comes along with new ones`(_ kind: TestDatabaseKind)
        async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .event("account_created", "Account", #"{"id":7,"name":"gone","links":{}}"#, version: 1),
                .event("account_destroyed", "Account", #"{"id":7,"links":{}}"#, version: 5)
            )
            try await replica.consume()
            try await replica.publish(
                (1...2)
                    .map { id in
                        let account = #""links":{"account":7},"account":{"id":7,"name":"back"}"#
                        return .event(
                            "rental_created",
                            "Rental",
                            #"{"id":\#(id),"name":"rental \#(id)",\#(account)}"#,
                            version: 3
                        )
                    }
            )
            try await replica.consume()
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY 1") == ["1", "2"])
            #expect(try await replica.rows("SELECT name FROM accounts") == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `records of a message that fails stay as they are, though another of the batch has two updates`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...2).map { .rental(.created, $0, name: "a\($0)", version: 1) })
            try await replica.consume()
            try await replica.execute("UPDATE rentals SET updated_at = created_at")
            let events = [#"{"id":2,"name":"b2"}"#, #"{"id":3,"check_in_time":"afternoon"}"#]
                .map { #"{"event":"rental_updated","model_name":"Rental","data":[\#($0)]}"# }
            var consumer = Mirror()
            consumer.rentals = consumer.rentals.batchTransformation(nil)
            try await replica.publish(
                Self.updated(1, "b", version: 2),
                Self.updated(1, "c", version: 3),
                WireMessage(
                    "v3_rentals",
                    key: "Rental:2",
                    value: #"{"message":[\#(events.joined(separator: ","))]}"#,
                    version: 2
                )
            )
            try await replica.consume(consumer)
            #expect(try await replica.rows(rentalNames) == ["1 c1", "2 a2"])
            #expect(
                try await replica.rows("SELECT synced_id FROM rentals WHERE updated_at <> created_at") == ["1"]
            )
            #expect(try await replica.failures.count == 1)
        }
    }
}
