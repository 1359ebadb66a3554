import Dionysus
import DionysusConsumer
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// A replica that can't be written whatever the messages say.
@Suite(.timeLimit(.minutes(10))) struct ReplicaOutageTests {
    /// Something that makes every message of a model fail, and what mends it.
    struct Fault: Sendable, CustomStringConvertible {
        let description: String
        let breaking: [SQL]
        let mending: [SQL]
        var onlyPostgres = false

        static let all: [Fault] = [
            Fault(
                description: "the table is gone",
                breaking: ["ALTER TABLE rentals RENAME TO rentals_away"],
                mending: ["ALTER TABLE rentals_away RENAME TO rentals"]
            ),
            Fault(
                description: "a column is gone",
                breaking: ["ALTER TABLE rentals RENAME COLUMN name TO name_away"],
                mending: ["ALTER TABLE rentals RENAME COLUMN name_away TO name"]
            ),
            refusal("42501"), refusal("25006"),
        ]

        /// What the server says without rights, or while it only reads.
        private static func refusal(_ state: String) -> Fault {
            Fault(
                description: "the server refuses with \(state)",
                breaking: [
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'permission denied for table rentals' USING ERRCODE = '\(raw: state)'; END $$
                    """,
                    "CREATE TRIGGER refuse BEFORE INSERT ON rentals FOR EACH ROW EXECUTE FUNCTION refuse()",
                ],
                mending: ["DROP TRIGGER refuse ON rentals"],
                onlyPostgres: true
            )
        }
    }

    private struct Watch: Heartbeat {
        let onRecord: @Sendable (VitalSign) -> Void

        func record(_ vital: VitalSign) { onRecord(vital) }
    }

    @Test(arguments: TestDatabaseKind.available, Fault.all)
    func `what hits every message of a model is waited for, told once, and leaves the others alone`(
        _ kind: TestDatabaseKind,
        _ fault: Fault
    ) async throws {
        if fault.onlyPostgres, kind == .sqlite { return }
        try await ReplicaHarness.run(kind) { replica in
            let (events, onEvent) = AsyncStream.makeStream(of: String.self)
            let (signs, onSign) = AsyncStream.makeStream(of: VitalSign.self)
            var mirror = Mirror()
            mirror.onConsume = { onEvent.yield("\($0.name) \($0.offset)") }
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { onSign.yield($0) }
            let lines = LogLines()
            try await replica.publish(.rental(.created, 1, name: "one"))
            try await replica.whileConsuming(mirror, instrumentation, loggingTo: lines) {
                var seen = events.makeAsyncIterator()
                #expect(await seen.next() == "rental_created 0")
                try await replica.database.transaction(.write) { _ = try $0.run(fault.breaking) }
                try await replica.publish((2...40).map { .rental(.created, $0, name: "rental \($0)") })
                for await sign in signs {
                    guard let problem = sign.problem else { continue }
                    #expect(problem.contains("the replica of Rental") && problem.contains("rentals"), "\(problem)")
                    break
                }
                try await replica.publish(.event("account_created", "Account", #"{"id":1,"name":"a"}"#))
                #expect(await seen.next() == "account_created 0")
                #expect(try await replica.failedOffsets == [])
                try await replica.database.transaction(.write) { _ = try $0.run(fault.mending) }
                for offset in 1...39 { #expect(await seen.next() == "rental_created \(offset)") }
            }
            #expect(try await replica.rows("SELECT count(*) FROM rentals WHERE name IS NOT NULL") == ["40"])
            #expect(try await replica.failedOffsets == [])
            let told = lines.all.filter { $0.contains("write a batch") && !$0.hasPrefix("debug") }
            #expect(told.count == 1 && told.allSatisfy { $0.hasPrefix("warning") }, "\(told)")
            #expect(lines.all.count { $0.hasPrefix("notice v3_rentals[0] goes on") } == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an outage of a replica does not keep a consumer from ending`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (signs, onSign) = AsyncStream.makeStream(of: VitalSign.self)
            let (events, onEvent) = AsyncStream.makeStream(of: Void.self)
            var mirror = Mirror()
            mirror.onConsume = { _ in onEvent.yield() }
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { onSign.yield($0) }
            try await replica.publish(.rental(.created, 1, name: "one"))
            try await replica.whileConsuming(mirror, instrumentation, loggingTo: LogLines()) {
                _ = await events.first { true }
                try await replica.run("ALTER TABLE rentals RENAME TO rentals_away")
                try await replica.publish(.rental(.created, 2, name: "two"))
                _ = await signs.first { $0.problem != nil }
            }
            try await replica.run("ALTER TABLE rentals_away RENAME TO rentals")
            try await replica.consume()
            #expect(try await replica.rows("SELECT name FROM rentals ORDER BY synced_id") == ["one", "two"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a table that is made later is found while the consumer runs, and what was left out is reported`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (polls, onPoll) = AsyncStream.makeStream(of: Void.self)
            let found = Mutex(false)
            var mirror = Mirror()
            mirror.onConsume = { _ in found.withLock { $0 = true } }
            mirror.replicas.append(Ignore("Tower").element)
            let instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: ReplicaConsumer.Heartbeat.self) { _ in onPoll.yield() }
            let lines = LogLines()
            func publish() async throws {
                for model in ["Castle", "Tower"] {
                    try await replica.publish(.event("x_created", model, #"{"id":1}"#))
                }
            }
            try await publish()
            try await replica.whileConsuming(mirror, instrumentation, loggingTo: lines) {
                for await _ in polls where lines.all.contains(where: { $0.contains("Castle are left out") }) { break }
                let key = replica.database.dialect.columnType(.identity)
                try await replica.run("CREATE TABLE castles (id \(raw: key), synced_id bigint NOT NULL UNIQUE)")
                for await _ in polls {
                    if found.withLock(\.self) { break }
                    try await publish()
                }
            }
            #expect(try await replica.rows("SELECT synced_id FROM castles") == ["1"])
            #expect(lines.all.count { $0.hasPrefix("warning") && $0.contains("Castle are left out") } == 1)
            #expect(lines.all.count { $0.hasPrefix("warning") && $0.contains("Castle is kept from now on") } == 1)
            #expect(!lines.all.contains { $0.contains("Tower") })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `old destructions are forgotten some at a time`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let rows = replica.database.dialect.rows(
                [BulkColumn("id", .text, (0..<12_000).map { .text("\($0)") })],
                alias: "v"
            )
            try await replica.run(
                """
                INSERT INTO dionysus_tombstones
                  (replica, record_id, topic, "partition", "offset", written_at, created_at)
                SELECT 'rentals', v.id, 't', 0, 0, \(replica.database.dialect.now(minus: 4_000_000)),
                  \(replica.database.dialect.now(minus: 4_000_000)) FROM \(rows)
                """
            )
            let (polls, onPoll) = AsyncStream.makeStream(of: Void.self)
            let instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: ReplicaConsumer.Heartbeat.self) { _ in onPoll.yield() }
            try await replica.whileConsuming(Mirror(), instrumentation, loggingTo: LogLines()) {
                var counts: Set<String> = []
                for await _ in polls {
                    counts.formUnion(try await replica.rows("SELECT count(*) FROM dionysus_tombstones"))
                    if counts.contains("0") { break }
                }
                #expect(counts.isSubset(of: ["12000", "7000", "2000", "0"]), "\(counts)")
            }
        }
    }
}

extension ReplicaHarness {
    /// Runs a consumer beside a body, and shuts it down.
    func whileConsuming(
        _ consumer: some Consumer,
        _ instrumentation: Instrumentation,
        settings: ConsumerSettings = .forTests,
        loggingTo lines: LogLines,
        _ body: () async throws -> Void
    ) async throws {
        var settings = settings
        settings.maxRetryDelay = .milliseconds(200)
        let service = ConsumerService(
            consumer,
            database: database,
            broker: broker,
            settings: settings,
            instrumentation: instrumentation,
            logger: lines.logger
        )
        let group = ServiceGroup(services: [service], logger: lines.logger)
        let task = Task { try await group.run() }
        do {
            try await body()
        } catch {
            task.cancel()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await task.value
    }
}
