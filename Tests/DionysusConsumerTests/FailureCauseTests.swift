import Dionysus
import TestSupport
import Testing

@testable import DionysusConsumer

/// Failures by their causes, and what it costs to find them among many.
@Suite(.timeLimit(.minutes(10))) struct FailureCauseTests {
    @Test(arguments: TestDatabaseKind.available)
    func `failures with one cause are one group, and are found by it`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish([
                .rental(.created, 1, name: "sea"), WireMessage("v3_rentals", value: "not JSON"),
                .rental(.created, 2, name: "sea"), WireMessage("v3_rentals", value: "not JSON"),
                .rental(.created, 3, name: "sea"),
            ])
            try await replica.consume()
            let failures = replica.failures()
            let survey = try await failures.survey()
            #expect(survey.groups.map(\.count) == [3, 2])
            #expect(survey.failed == 5 && survey.waiting == 0 && !survey.hasMore)
            let cause = try #require(survey.groups.first).cause
            #expect(!cause.contains("offset") && !cause.contains("sea"))
            let found = try await failures.list(FailureFilter(), cause: cause)
            #expect(found.failures.map(\.offset) == [0, 2, 4] && !found.isBounded)
            let two = try await failures.ids(FailureFilter(limit: 2), cause: cause)
            #expect(two.ids == found.failures.prefix(2).map(\.id) && two.isBounded)
            #expect(try await failures.ids(FailureFilter(), cause: nil).ids.count == 5)
            #expect(try await failures.list(FailureFilter(), cause: "something else").failures == [])
            // A retry that fails for another reason belongs to another group.
            try await replica.execute(
                "UPDATE dionysus_failures SET payload = \(DatabaseValue.bytes(Array("not JSON".utf8))) WHERE \"offset\" = 0"
            )
            try await failures.retry(found.failures.prefix(1).map(\.id))
            #expect(try await failures.list(FailureFilter(), cause: cause).failures.map(\.offset) == [2, 4])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a group says how many messages wait behind its failures`(_ kind: TestDatabaseKind) async throws {
        let waiting = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)) }
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish([
                .rental(.created, 1, name: "sea"), .rental(.created, 2, name: "sea"),
                WireMessage("v3_rentals", key: "Rental:3", value: "not JSON"),
                WireMessage("v3_rentals", value: "not JSON"), .rental(.created, 4, name: "hill"),
            ])
            try await replica.consume(waiting)
            try await replica.publish([
                .rental(.updated, 1, name: "lake"), .rental(.updated, 1, name: "bay"),
                .rental(.updated, 2, name: "lake 2"), .rental(.updated, 3, name: "pond"),
                .rental(.updated, 4, name: "cliff"),
            ])
            try await replica.consume(waiting)
            let failures = replica.failures(waiting)
            let survey = try await failures.survey()
            #expect(survey.failed == 4 && survey.waiting == 4)
            #expect(survey.groups.map(\.count) == [2, 2])
            #expect(Set(survey.groups.map(\.waiting)) == [3, 1])
            let taken = try #require(survey.groups.first { $0.waiting == 3 })
            #expect(try await failures.list(FailureFilter(), cause: taken.cause).failures.map(\.offset) == [0, 1])
            // What an earlier version has recorded has no cause of its own.
            try await replica.execute("UPDATE dionysus_failures SET cause_hash = NULL WHERE \"offset\" IN (0, 2)")
            #expect(Set(try await failures.survey().groups.map { [$0.count, $0.waiting] }) == [[2, 3], [2, 1]])
            // Behind what was deleted nothing waits any more, though it is still to be retried.
            try await failures.delete(try await failures.list(FailureFilter()).filter { $0.offset == 1 }.map(\.id))
            let rest = try await failures.survey()
            #expect(rest.waiting == 4)
            #expect(rest.groups.first { $0.cause == taken.cause }.map { [$0.count, $0.waiting] } == [1, 2])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures that an earlier version recorded are grouped with the others`(_ kind: TestDatabaseKind) async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...4).map { _ in WireMessage("v3_rentals", value: "not JSON") })
            try await replica.consume()
            try await replica.execute("UPDATE dionysus_failures SET cause_hash = NULL WHERE \"offset\" < 2")
            let failures = replica.failures()
            let survey = try await failures.survey()
            #expect(survey.groups.map(\.count) == [4])
            let cause = try #require(survey.groups.first).cause
            #expect(try await failures.list(FailureFilter(), cause: cause).failures.map(\.offset) == [0, 1, 2, 3])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a console asks of many failures is answered from an index`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.fill(failures: 30_000)
            try await replica.execute("ANALYZE")
            let queries = replica.failures().queries
            let group = queries.group
            let questions: [(SQL, String)] = [
                (queries.list(FailureFilter(), with: "a cause"), "dionysus_failures_causes"),
                (queries.list(FailureFilter(topic: "v3_rentals"), with: nil), "dionysus_failures_causes"),
                (queries.list(FailureFilter(errorClass: "rare")), "dionysus_failures_errors"),
                (queries.list(FailureFilter(state: .waiting)), "dionysus_failures_errors"),
                (queries.list(FailureFilter(topic: "v3_none")), "dionysus_failures_topics"),
                (queries.list(FailureFilter(key: "Rental:7")), "dionysus_failures_records"),
                (FailureSelection(group: group).newest(limit: 20, offset: 0), "dionysus_failures_times"),
                (
                    FailureSelection(group: group, entityID: "7").newest(limit: 20, offset: 0),
                    "dionysus_failures_entities"
                ),
            ]
            // The messages are walked in their order up to a limit, and only what they wait behind is looked up.
            let behind = try await replica.plan(of: queries.waitingBehindOthers(limit: 10_000), kind)
            #expect(behind.contains { $0.contains("dionysus_failures_keys") }, "\(behind)")
            #expect(!behind.contains { $0.contains("Seq Scan on dionysus_failures e") }, "\(behind)")
            #expect(!behind.contains { $0.hasPrefix("SCAN e") }, "\(behind)")
            for (question, index) in questions {
                let plan = try await replica.plan(of: question, kind)
                #expect(plan.contains { $0.contains(index) }, "\(index): \(plan)")
                #expect(!plan.contains { $0.contains("Seq Scan on dionysus_failures") }, "\(plan)")
                #expect(!plan.contains { $0.hasPrefix("SCAN f") && !$0.contains("INDEX") }, "\(plan)")
            }
        }
    }
}

extension ReplicaHarness {
    /// Records failures of one topic, with few causes.
    fileprivate func fill(failures count: Int) async throws {
        let ids = BulkColumn("number", .integer, (1...Int64(count)).map { .integer($0) })
        let group = ConsumerSettings.forTests.effectiveGroupID
        try await database.transaction(.write) { transaction in
            let dialect = transaction.dialect
            _ = try transaction.run(
                """
                INSERT INTO dionysus_failures (topic, "group", "partition", "offset", key_hash, entity_id, event_time,
                  error_class, error_message, cause_hash, attempts, created_at)
                SELECT 'v3_rentals', \(group), 0, number, number, CAST(number AS text), \(dialect.now), 'constraint',
                  'it is refused', number % 10, 1, \(dialect.now) FROM \(dialect.rows([ids], alias: "v"))
                """
            )
        }
    }
}

extension ReplicaHarness {
    /// How the database would answer a question, a line each.
    func plan(of query: SQL, _ kind: TestDatabaseKind) async throws -> [String] {
        let explain: SQL = kind == .postgres ? "EXPLAIN \(query)" : "EXPLAIN QUERY PLAN \(query)"
        return try await database.transaction(.write) { transaction in
            try transaction.run(explain).rows.compactMap { try $0.text(kind == .postgres ? 0 : 3) }
        }
    }
}
