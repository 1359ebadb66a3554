import Dionysus
import DionysusConsumer
import Logging
import Synchronization
import TestSupport
import Testing

/// What other transactions in the replica's database can do to a batch.
@Suite struct ConflictTests {
    /// How often a batch was begun.
    private static func attempts(_ watched: WatchedDatabase) -> Int {
        watched.takeStatements()
            .filter { $0.hasPrefix("UPDATE dionysus_offsets") || $0.hasPrefix("INSERT INTO dionysus_offsets") }.count
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `a batch that was the victim of a deadlock is applied again`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "a"), .rental(.created, 2, name: "b"))
            try await replica.consume()
            // PostgreSQL looks for a deadlock once, after a second of waiting: the batch is the victim unless the other
            // transaction takes longer than that to wait, too.
            for round in 1...10 {
                try await replica.publish(
                    .rental(.updated, 1, name: "c\(round)"),
                    .rental(.updated, 2, name: "d\(round)")
                )
                let watched = WatchedDatabase(replica.database)
                try await Self.consumeIntoDeadlock(replica, watched)
                let rows = try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
                #expect(rows == ["c\(round)", "d\(round)"])
                #expect(try await replica.failures == [])
                if Self.attempts(watched) == 2 { return }
            }
            Issue.record("no batch was the victim of a deadlock")
        }
    }

    /// Consumes while another transaction, which has the second rental, waits for the first.
    private static func consumeIntoDeadlock(_ replica: ReplicaHarness, _ watched: WatchedDatabase) async throws {
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup { group in
            group.addTask {
                do {
                    try await replica.database.transaction(.write) { transaction in
                        try transaction.run("SET LOCAL deadlock_timeout = '10s'")
                        try transaction.run("UPDATE rentals SET bedrooms = 2 WHERE synced_id = 2")
                        held.finish()
                        let waiting: SQL = """
                            SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
                            """
                        while try transaction.run(waiting).isEmpty { try transaction.run("SELECT pg_sleep(0.005)") }
                        try transaction.run("UPDATE rentals SET bedrooms = 1 WHERE synced_id = 1")
                    }
                } catch let error as DionysusError where error.code == .transactionConflict {
                    // This time it was the victim itself.
                }
            }
            for await _ in isHeld {}
            try await replica.consume(database: watched)
            try await group.waitForAll()
        }
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `a batch that PostgreSQL could not serialize is applied again`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            // A sequence is not rolled back, so that only the first attempt fails.
            try await replica.define(
                "CREATE SEQUENCE attempts",
                """
                CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END IF;
                  RETURN NEW;
                END $$
                """,
                "CREATE TRIGGER fail BEFORE INSERT ON rentals FOR EACH ROW EXECUTE FUNCTION fail_once()"
            )
            let watched = WatchedDatabase(replica.database)
            try await replica.publish(.rental(.created, 1, name: "a"))
            try await replica.consume(database: watched)
            #expect(Self.attempts(watched) == 2)
            #expect(try await replica.rows(rentalNames) == ["1 a"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `a batch that takes too long is divided, and a message alone is tried until it gets through`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            // As a statement timeout ends them: all attempts with several records, and the first three with one.
            try await replica.define(
                "CREATE SEQUENCE attempts",
                """
                CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  IF (SELECT count(*) FROM written) > 1 OR nextval('attempts') <= 3 THEN
                    RAISE EXCEPTION 'canceling statement' USING ERRCODE = '57014';
                  END IF;
                  RETURN NULL;
                END $$
                """,
                """
                CREATE TRIGGER take_long AFTER INSERT ON rentals REFERENCING NEW TABLE AS written
                FOR EACH STATEMENT EXECUTE FUNCTION take_long()
                """
            )
            try await replica.publish((1...4).map { .rental(.created, $0, name: "number \($0)") })
            try await replica.consume()
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY synced_id") == ["1", "2", "3", "4"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .sqlite })
    func `a batch waits while another program keeps SQLite busy`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "a"))
            let hurried = try sqliteDatabase(at: replica.database.location, busyTimeout: .milliseconds(1))
            let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
            let heartbeat = ProblemRecorder()
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await replica.database.transaction(.write) { transaction in
                        try transaction.run("UPDATE accounts SET name = 'held'")
                        held.finish()
                        while !heartbeat.hasProblem { try transaction.run("SELECT count(*) FROM rentals") }
                    }
                }
                for await _ in isHeld {}
                var instrumentation = Instrumentation()
                instrumentation.heartbeat = heartbeat
                var logger = Logger(label: "test")
                logger.logLevel = .critical
                try await ConsumerService(
                    Mirror(),
                    database: hurried,
                    broker: replica.broker,
                    settings: .forTests,
                    mode: .untilCaughtUp,
                    instrumentation: instrumentation,
                    logger: logger
                )
                .run()
                try await group.waitForAll()
            }
            await hurried.close()
            #expect(try await replica.rows(rentalNames) == ["1 a"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `rows that are not found by the ids under which they are there fail alone, and the consumer goes on`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            // Both make of an id something else than the payload says: letters are padded, zeros cut off.
            try await replica.define(
                "CREATE TABLE villas (synced_id \(raw: kind == .postgres ? "char(4)" : "string") UNIQUE, name text)"
            )
            let villas = ["ab", "007", "long"].map { #"{"id":"\#($0)","name":"a"}"# }
            for name in ["a", "b"] {
                try await replica.publish(
                    villas.map { .event("villa_created", "Villa", $0.replacing(#""a"}"#, with: "\"\(name)\"}")) }
                )
                try await replica.consume()
            }
            try await replica.publish(.rental(.created, 1, name: "later"))
            try await replica.consume()
            #expect(try await replica.rows(rentalNames) == ["1 later"])
            #expect(try await replica.rows("SELECT name FROM villas WHERE synced_id = 'long'") == ["b"])
            #expect(try await replica.rows("SELECT count(*) FROM villas") == ["3"])
            let failed = try await replica.rows("SELECT entity_id, error_class FROM dionysus_failures")
            #expect(!failed.isEmpty && failed.allSatisfy { $0 == "1 transaction_conflict" })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a new record takes over the unique name that a known one gives up in the same batch`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            // Names are unique in this table.
            try await replica.publish(.rental(.created, 1, name: "a"))
            try await replica.consume()
            try await replica.publish(.rental(.created, 1, name: "b"), .rental(.created, 2, name: "a"))
            try await replica.consume()
            #expect(try await replica.rows(rentalNames) == ["1 b", "2 a"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `among new records, one that was destroyed later stays away, and a known one keeps what is newer`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .rental(.created, 1, name: "gone", version: 1),
                .rental(.destroyed, 1, version: 3),
                .rental(.created, 2, name: "newer", version: 5)
            )
            try await replica.consume()
            for round in 0..<3 {
                try await replica.publish(
                    .rental(.created, 1, name: "back", version: 2),
                    .rental(.created, 2, name: "older", version: 4),
                    .rental(.created, 3 + round, name: "new \(round)", version: 1)
                )
            }
            try await replica.consume()
            let (names, failures) = (try await replica.rows(rentalNames), try await replica.failures)
            #expect(names == ["2 newer", "3 new 0", "4 new 1", "5 new 2"])
            #expect(failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `two models in one table do not stop the consumer`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .event("rental_created", "Rental", #"{"id":1,"name":"a"}"#),
                .event("rental_created", "rental", #"{"id":1,"name":"b"}"#),
                .event("rental_created", "Rental", #"{"id":2,"name":"c"}"#),
            ],
            gives: ["1 b", "2 c"]
        )
    }
}

private final class ProblemRecorder: Heartbeat {
    private let found = Mutex(false)

    var hasProblem: Bool { found.withLock { $0 } }

    func record(_ vital: VitalSign) {
        if vital.problem != nil { found.withLock { $0 = true } }
    }
}
