import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// What relays read of an outbox to find what they are looking for.
@Suite struct OutboxIndexTests {
    @Test(
        "polls and claims read neither published, parked nor retrying rows, however many there are",
        arguments: TestDatabaseKind.available,
        HoldPolicy.allCases
    )
    func claims(_ kind: TestDatabaseKind, _ policy: HoldPolicy) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.fill()
            try await harness.write(CaptureTests.account)
            // Most SQLite databases have never been analysed.
            if kind == .sqlite { try await expectIndexes(harness, kind, policy) }
            try await harness.write("ANALYZE")
            try await expectIndexes(harness, kind, policy)
        }
    }

    @Test(
        "the indexes of an outbox that an earlier version made are those of this one after migrate",
        arguments: TestDatabaseKind.available
    )
    func upgrade(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let lane = harness.database.dialect.laneExpression(
                "coalesce(partition_key, resource_class || ':' || resource_id)",
                lanes: harness.settings.lanes
            )
            try await harness.write(
                "DROP INDEX dionysus_outboxes_pending",
                "DROP INDEX dionysus_outboxes_due",
                "DROP INDEX dionysus_outboxes_overdue",
                "DROP INDEX dionysus_outboxes_retrying_keys",
                "DROP INDEX dionysus_outboxes_destroyed",
                "CREATE INDEX dionysus_outboxes_pending ON dionysus_outboxes (\(raw: lane), id) WHERE published_at IS NULL",
                "UPDATE dionysus_meta SET value = '2' WHERE name = 'schema_version'"
            )
            try await harness.fill()
            try await harness.write(CaptureTests.account)
            await #expect(throws: DionysusError.self) { try await harness.relay() }
            let change = "created or upgraded the outbox's tables"
            #expect(try await harness.schema.plannedMigration(lanes: harness.settings.lanes).changes == [change])
            #expect(try await harness.schema.migrate(lanes: harness.settings.lanes).changes == [change])
            #expect(try await harness.schema.migrate(lanes: harness.settings.lanes).changes == [])
            try await harness.write("ANALYZE")
            for policy in HoldPolicy.allCases { try await expectIndexes(harness, kind, policy) }
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }

    @Test(
        "after migrate the planner knows how small the outbox's tables are"
    )
    func analyzed() async throws {
        try await ProducerHarness.run(.postgres) { harness in
            let rows = try await harness.value(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = 'dionysus_lanes'::regclass"
            )
            #expect(rows == .integer(Int64(harness.settings.lanes)))
        }
    }

    @Test(
        "what is due again and what is fresh is published in the order of the outbox",
        arguments: TestDatabaseKind.available
    )
    func order(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        // So that neither fits into one batch.
        settings.batchSize = 7
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                """
                INSERT INTO rentals (id, account_id, name)
                SELECT id, 1, 'Villa' FROM \(harness.database.dialect.rows([BulkColumn("id", .integer, (1...40).map { .integer($0) })], alias: "v"))
                """,
                """
                UPDATE dionysus_outboxes SET failed_at = created_at, attempts = 1, retry_at = created_at
                WHERE resource_class = 'Rental' AND id % 3 = 0
                """,
                """
                UPDATE dionysus_outboxes SET failed_at = created_at, attempts = 1, retry_at = '2999-01-01'
                WHERE resource_class = 'Rental' AND id % 10 = 0
                """
            )
            let expected = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run(
                    """
                    SELECT resource_class || ':' || resource_id FROM dionysus_outboxes
                    WHERE topic = 'v3_rentals' AND (retry_at IS NULL OR retry_at < '2999-01-01') ORDER BY id
                    """
                )
                .rows.compactMap { try $0.text(0) }
            }
            #expect(expected.count == 36)
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_rentals").map(\.key) == expected)
        }
    }

    /// Expects that each question is answered from the range of an index that holds its rows and no others.
    private func expectIndexes(_ harness: ProducerHarness, _ kind: TestDatabaseKind, _ policy: HoldPolicy)
        async throws
    {
        let outbox = try await harness.pipeline().outbox
        let pending = "dionysus_outboxes_pending"
        let due = ["dionysus_outboxes_due", "dionysus_outboxes_overdue"]
        let questions: [(SQL, [String])] = [
            (outbox.pendingLanes(), [pending] + due),
            (outbox.claim(lane: 1, limit: 100, onFailure: policy), [pending]),
            (outbox.claimDue(lane: 1, limit: 100, onFailure: policy), due),
            (outbox.passedLanes(), [pending]),
            (outbox.sweep(lane: 1), [pending]),
            (outbox.backlog(), [pending]),
        ]
        for (question, indexes) in questions {
            let plan = try await harness.plan(of: question, kind)
            for index in indexes { #expect(plan.contains { $0.contains(index) }, "\(plan)") }
            #expect(!plan.contains { $0.contains("Seq Scan on dionysus_outboxes") }, "\(plan)")
            switch kind {
            case .postgres:
                let conditions = plan.filter { $0.contains("Index Cond") && $0.contains("hashtext") }
                #expect(
                    conditions.allSatisfy { line in ["CASE", "retry_at", "failed_at"].contains { line.contains($0) } },
                    "\(plan)"
                )
            case .sqlite:
                let lookups = plan.filter { line in ([pending] + due).contains { line.contains("INDEX \($0) ") } }
                #expect(lookups.allSatisfy { $0.contains("SEARCH") && $0.contains("<expr>=? AND ") }, "\(plan)")
                if indexes == [pending] { #expect(!plan.contains { $0.contains("SCAN o") }, "\(plan)") }
                if indexes == [pending] { #expect(!plan.contains { $0.contains("TEMP B-TREE FOR ORDER") }, "\(plan)") }
            }
        }
    }
}

extension ProducerHarness {
    /// Leaves 30,000 rows in the outbox of which none can be published: published, parked and retrying ones.
    fileprivate func fill() async throws {
        let ids = (1...30_000).map { DatabaseValue.integer($0) }
        let now = database.outbox.time(shiftedBy: 0)
        let later = database.outbox.time(shiftedBy: 3_600)
        try await write(
            """
            INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, partition_key, published_at,
              failed_at, retry_at, created_at, updated_at)
            SELECT 'Rental', CAST(id AS text), 'rental_updated', 'v3_rentals', CAST(id AS text),
              CASE WHEN id % 3 = 0 THEN \(now) END, CASE WHEN id % 3 > 0 THEN \(now) END,
              CASE WHEN id % 3 = 1 THEN \(later) END, \(now), \(now)
            FROM \(database.dialect.rows([BulkColumn("id", .integer, ids)], alias: "v"))
            """
        )
    }

    /// How the database would answer a question, a line each.
    func plan(of query: SQL, _ kind: TestDatabaseKind) async throws -> [String] {
        let explain: SQL = kind == .postgres ? "EXPLAIN \(query)" : "EXPLAIN QUERY PLAN \(query)"
        return try await database.transaction(.write) { transaction in
            try transaction.run(explain).rows.compactMap { try $0.text(kind == .postgres ? 0 : 3) }
        }
    }
}
