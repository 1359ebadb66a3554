import Dionysus
import Logging
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Published rows that have been kept long enough are deleted, and no others.
@Suite struct OutboxRetentionTests {
    @Test(
        "rows are deleted by the time of their publication, whatever stands between them; others are kept",
        arguments: TestDatabaseKind.available
    )
    func ages(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let day = 86_400.0
            try await harness.insert([
                Entry(createdDaysAgo: 10, publishedDaysAgo: 9),
                Entry(createdDaysAgo: 10),
                Entry(createdDaysAgo: 10, isParked: true),
                // Published late: kept, and the walk goes on behind it.
                Entry(createdDaysAgo: 10, publishedDaysAgo: 1),
                Entry(createdDaysAgo: 9, publishedDaysAgo: 8),
                // A clock that went wrong doesn't end the walk.
                Entry(createdDaysAgo: -30, publishedDaysAgo: 9),
                Entry(createdDaysAgo: 4, publishedDaysAgo: 4),
                Entry(createdDaysAgo: 2, publishedDaysAgo: 2),
                Entry(createdDaysAgo: 0),
            ])
            let inspector = OutboxInspector(database: harness.database)
            #expect(try await inspector.prune(olderThan: .seconds(3 * day)) == 4)
            #expect(try await harness.ids() == [2, 3, 4, 8, 9])
            #expect(try await inspector.prune(olderThan: .seconds(3 * day)) == 0)
            #expect(try await inspector.prune(olderThan: .seconds(0.5 * day)) == 2)
            #expect(try await harness.ids() == [2, 3, 9])
        }
    }

    @Test(
        "many rows are deleted in transactions of a bounded number, from the oldest on, and the walk ends at young ones",
        arguments: TestDatabaseKind.available
    )
    func batches(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.insert(Array(repeating: Entry(createdDaysAgo: 5, publishedDaysAgo: 5), count: 2_500))
            try await harness.insert(Array(repeating: Entry(createdDaysAgo: 1, publishedDaysAgo: 1), count: 5_000))
            var pruning = OutboxPruning(
                outbox: try await harness.outbox(),
                database: harness.database,
                age: .seconds(3 * 86_400)
            )
            var counts: [Int] = []
            while try await pruning.deleteBatch() { counts.append(pruning.deleted) }
            // Of 7,500 rows 3,000 are looked at to delete 2,500, and 1,000 to see that the rest is young.
            #expect(counts == [1_000, 2_000, 2_500])
            #expect(try await harness.ids().count == 5_000)
        }
    }

    @Test(
        "a later walk begins at the first row that was kept, and does not pass what has been deleted",
        arguments: TestDatabaseKind.available
    )
    func laterWalks(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.retention = .seconds(3 * 86_400)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let (retention, queue) = (try await harness.retention(), LaneQueue())
            let old = Entry(createdDaysAgo: 5, publishedDaysAgo: 5)
            let pending = Entry(createdDaysAgo: 5)
            try await harness.insert(Array(repeating: old, count: 1_200))
            #expect(try await retention.enforce(on: queue) == 1_200)
            try await harness.insert([old, pending, old, pending, Entry(createdDaysAgo: 0)])
            let end = try await retention.enforce(on: queue, startingAfter: 1_200)
            #expect(end == 1_201)
            #expect(try await harness.ids() == [1_202, 1_204, 1_205])
            try await harness.write("UPDATE dionysus_outboxes SET published_at = created_at WHERE id < 1205")
            #expect(try await retention.enforce(on: queue, startingAfter: end) == 1_204)
            #expect(try await harness.ids() == [1_205])
        }
    }

    @Test("of several relays one deletes, until its lease has ended", arguments: TestDatabaseKind.available)
    func lease(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let (first, second) = (
                RetentionLease(owner: "first", interval: .seconds(60)),
                RetentionLease(owner: "second", interval: .seconds(60))
            )
            #expect(try await harness.take(first))
            #expect(try await harness.take(first))
            #expect(try await !harness.take(second))
            try await harness.write(
                "UPDATE dionysus_meta SET value = '2026-01-01T00:00:00.000000Z first' WHERE name = 'retention'"
            )
            #expect(try await harness.take(second))
            #expect(try await !harness.take(first))
        }
    }

    @Test(
        "a relay deletes what its settings say, and another that comes too deletes nothing",
        arguments: TestDatabaseKind.available
    )
    func relay(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.retention = .seconds(86_400)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let (first, second) = (try await harness.retention(), try await harness.retention())
            let queue = LaneQueue()
            try await harness.insert([
                Entry(createdDaysAgo: 5, publishedDaysAgo: 5), Entry(createdDaysAgo: 0, publishedDaysAgo: 0),
            ])
            try await first.enforce(on: queue)
            #expect(try await harness.ids() == [2])
            try await harness.insert([Entry(createdDaysAgo: 5, publishedDaysAgo: 5)])
            try await second.enforce(on: queue)
            #expect(try await harness.ids() == [2, 3])
            try await first.enforce(on: queue)
            #expect(try await harness.ids() == [2])
        }
    }

    @Test("rows are kept forever unless an age is set, and the age has to be longer than nothing")
    func settings() async throws {
        var settings = ProducerSettings()
        #expect(settings.retention == nil && settings.faults.isEmpty)
        settings.retention = .zero
        #expect(settings.faults == ["retention must be longer than zero"])
    }
}

/// A row of the outbox as retention sees it.
private struct Entry {
    var createdDaysAgo: Double
    var publishedDaysAgo: Double?
    var isParked = false
}

extension ProducerHarness {
    fileprivate func insert(_ entries: [Entry]) async throws {
        let outbox = database.outbox
        func time(_ daysAgo: Double) -> SQL { outbox.time(shiftedBy: -daysAgo * 86_400) }
        let statements = entries.map { entry -> SQL in
            let published: SQL = entry.publishedDaysAgo.map(time) ?? "NULL"
            let failed: SQL = entry.isParked ? time(entry.createdDaysAgo) : "NULL"
            return """
                INSERT INTO dionysus_outboxes
                  (resource_class, resource_id, event_name, topic, created_at, updated_at, published_at, failed_at)
                VALUES ('Rental', '1', 'rental_updated', 'v3_rentals', \(time(entry.createdDaysAgo)), \(time(0)),
                  \(published), \(failed))
                """
        }
        try await database.transaction(.write) { _ = try $0.run(statements) }
    }

    fileprivate func ids() async throws -> [Int64] {
        try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT id FROM dionysus_outboxes ORDER BY id").rows.compactMap { try $0.integer(0) }
        }
    }

    fileprivate func outbox() async throws -> Outbox {
        try await database.transaction(.snapshot) { [database] in try Outbox.open(of: database, in: &$0) }
    }

    fileprivate func take(_ lease: RetentionLease) async throws -> Bool {
        try await database.transaction(.write) { try lease.take(in: &$0) }
    }

    fileprivate func retention() async throws -> OutboxRetention {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return try #require(OutboxRetention(try await outbox(), database, settings, logger))
    }
}

extension OutboxRetentionTests {
    @Test(
        "the right to delete ends by the database's clock, whatever the clock of the process says",
        arguments: TestDatabaseKind.available
    )
    func clock(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let lease = RetentionLease(owner: "a", interval: .seconds(60))
            #expect(try await harness.database.transaction(.write) { try lease.take(in: &$0) })
            let (end, now) = try await harness.database.transaction(.snapshot) { transaction in
                (
                    try transaction.run("SELECT value FROM dionysus_meta WHERE name = 'retention'").first?.text(0)
                        ?? "",
                    try transaction.run("SELECT \(transaction.dialect.now)").first?.timestamp(0) ?? .now
                )
            }
            let time = try #require(Timestamp(String(end.prefix { $0 != " " })))
            #expect(time > now && time <= now + 120)
            #expect(
                !(try await harness.database.transaction(.write) {
                    try RetentionLease(owner: "b", interval: .seconds(60)).take(in: &$0)
                })
            )
        }
    }
}
