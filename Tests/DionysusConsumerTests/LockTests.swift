import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Who can keep a consumer from writing, and what it does then.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres))) struct LockTests {
    private static let replicaLock = LeasedResource(
        name: "replica",
        lockingQuery: "SELECT 1 FROM dionysus_locks WHERE name = 'dionysus:replica:rentals' FOR UPDATE"
    )

    @Test func `advisory locks of whoever may connect hold up neither migrate nor a consumer`() async throws {
        try await ReplicaHarness.run(.postgres) { replica in
            let names =
                [
                    "dionysus", "dionysus:migrate", "dionysus:version", "dionysus:rentals", "dionysus:replica:rentals",
                    "dionysus:failures:dionysus_consumer_group_for_test:v3_rentals-0", "application:migrate",
                ] + (0..<64).map { "dionysus:mutex:\($0)" }
            let list = SQL(raw: names.map { "('\($0)')" }.joined(separator: ","))
            let attack = LeasedResource(
                name: "attack",
                lockingQuery: """
                    SELECT pg_advisory_lock(hashtext(name)), pg_advisory_lock(hashtext(name)::bigint << 32)
                    FROM (VALUES \(list)) AS names (name)
                    """
            )
            let lease = try #require(try await replica.database.lease(attack, idleTimeout: .seconds(600)))
            try await ConsumerSchema(database: replica.database).migrate()
            try await replica.publish(.rental(.destroyed, 1), .rental(.created, 2, name: "Villa"))
            try await replica.consume(
                Mirror.rentals { $0.sharingRecords().onFailure(.record(laterMessages: .wait)) }
            )
            #expect(try await replica.rows("SELECT name FROM rentals") == ["Villa"])
            await lease.abandon()
        }
    }

    @Test(arguments: ["FOR UPDATE", "FOR SHARE", "FOR KEY SHARE"])
    func `the rows that are locks can't be locked without a right on their table`(_ mode: String) async throws {
        try await ReplicaHarness.run(.postgres) { replica in
            try await replica.publish(.rental(.created, 1, name: "Villa"))
            try await replica.consume()
            #expect(try await replica.rows("SELECT count(*) > 0 FROM dionysus_locks") == ["true"])
            await #expect(throws: DionysusError.self) {
                try await replica.database.transaction(.write) { transaction in
                    _ = try transaction.run([
                        "SET LOCAL ROLE pg_monitor", "SELECT 1 FROM dionysus_locks \(raw: mode)",
                    ])
                }
            }
        }
    }

    @Test func `a held lock is reported, ends with the consumer, and only delays the messages`() async throws {
        try await ReplicaHarness.run(.postgres) { replica in
            try await replica.publish(.rental(.created, 1, name: "Villa"))
            try await replica.consume()
            let lease = try #require(try await replica.database.lease(Self.replicaLock, idleTimeout: .seconds(600)))
            try await replica.publish(.rental(.created, 2, name: "Chalet"))
            let (told, telling) = AsyncStream.makeStream(of: ErrorContext.self)
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = Teller(stream: telling)
            let service = ConsumerService(
                Mirror(),
                database: replica.database,
                broker: replica.broker,
                settings: .forTests,
                instrumentation: instrumentation
            )
            let task = Task { try await service.run() }
            let first = await told.first { $0.activity == "write a batch" }
            #expect(first != nil)
            task.cancel()
            _ = await task.result
            #expect(try await replica.rows("SELECT name FROM rentals") == ["Villa"])
            await lease.abandon()
            try await replica.consume()
            #expect(try await replica.rows("SELECT name FROM rentals ORDER BY synced_id") == ["Villa", "Chalet"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test func `an installation without the table of locks is asked to migrate, and has it then`() async throws {
        try await ReplicaHarness.run(.postgres) { replica in
            try await replica.run("DROP TABLE dionysus_locks")
            #expect(try await replica.faults(of: Mirror()) == ["there is no table dionysus_locks: run migrate"])
            let schema = ConsumerSchema(database: replica.database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 { group.addTask { try await schema.migrate() } }
                try await group.waitForAll()
            }
            #expect(try await replica.faults(of: Mirror()) == [])
        }
    }

    @Test func `uninstalling removes the table of locks, unless another part of Dionysus is there`() async throws {
        try await ReplicaHarness.run(.postgres) { replica in
            let query: SQL = "SELECT relname::text FROM pg_class WHERE relname LIKE 'dionysus%' AND relkind = 'r'"
            let schema = ConsumerSchema(database: replica.database)
            try await replica.run("CREATE TABLE dionysus_outboxes (id bigint)")
            try await schema.uninstall()
            #expect(Set(try await replica.rows(query)) == ["dionysus_outboxes", "dionysus_locks"])
            try await schema.migrate()
            try await replica.run("DROP TABLE dionysus_outboxes")
            try await schema.uninstall()
            #expect(try await replica.rows(query) == [])
        }
    }

    private struct Teller: ErrorHandler {
        let stream: AsyncStream<ErrorContext>.Continuation

        func handle(_ error: any Error, _ context: ErrorContext) { stream.yield(context) }
    }
}
