import Dionysus
import DionysusPostgres
import DionysusSQLite
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// What a relay doesn't see: rows behind row-level security, below the low-water mark, in a file that was replaced.
@Suite(.timeLimit(.minutes(10))) struct UnseenRowTests {
    static let postgres = TestDatabaseKind.available.filter { $0 == .postgres }

    /// The harness's database as a role sees it that is no superuser.
    private func withRole(
        _ harness: ProducerHarness,
        _ body: (any CapturingDatabase) async throws -> Void
    ) async throws {
        let role = "relay_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let name = try await harness.database.transaction(.snapshot) {
            try $0.run("SELECT current_database()").first?.text(0) ?? ""
        }
        let server = try #require(ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"])
        var components = try #require(URLComponents(string: server))
        components.path = "/" + name
        components.queryItems = (components.queryItems ?? []) + [URLQueryItem(name: "options", value: "-crole=\(role)")]
        try await harness.write(
            "CREATE ROLE \(identifier: role)",
            "GRANT USAGE ON SCHEMA public TO \(identifier: role)",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO \(identifier: role)",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO \(identifier: role)"
        )
        let database = try PostgresDatabase(url: components.string ?? server)
        do { try await body(database) } catch {
            await database.close()
            try await harness.write("DROP OWNED BY \(identifier: role)", "DROP ROLE \(identifier: role)")
            throw error
        }
        await database.close()
        try await harness.write("DROP OWNED BY \(identifier: role)", "DROP ROLE \(identifier: role)")
    }

    @Test("row-level security is a fault of the start, of validate and of a genesis run", arguments: postgres)
    func rowSecurity(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await withRole(harness) { database in
                try await harness.write(CaptureTests.account, "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
                let schema = OutboxSchema(database: database, registry: harness.registry)
                let faults = try await schema.validate().filter { $0.contains("row-level security") }
                #expect(faults.count == 1 && faults.first?.contains("table accounts") == true, "\(faults)")
                #expect(try await harness.schema.validate().isEmpty)
                let error = await #expect(throws: DionysusError.self) {
                    _ = try await harness.pipeline(database: database)
                }
                #expect(error?.description.contains("row-level security") == true, "\(String(describing: error))")
                await #expect(throws: DionysusError.self) {
                    try await Genesis(database: database, registry: harness.registry)
                        .start(topic: "v3_accounts", model: "Account")
                }
            }
        }
    }

    @Test("row-level security that comes later holds rows up, and settles none as gone", arguments: postgres)
    func rowSecurityLater(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await withRole(harness) { database in
                let pipeline = try await harness.pipeline(database: database)
                try await harness.write(CaptureTests.account, "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
                try await pipeline.publishAllLanes()
                #expect(try await harness.pending() == ["account_created Account:1 v3_accounts 1"])
                #expect(pipeline.refusals.models.problem?.contains("model Account") == true)
                try await harness.write("ALTER TABLE accounts DISABLE ROW LEVEL SECURITY")
                try await harness.relay()
                #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
            }
        }
    }

    @Test("many records that are not there are reported once", arguments: TestDatabaseKind.available)
    func missing(_ kind: TestDatabaseKind) async throws {
        let missing = MissingRecords()
        #expect(missing.note("Rental", seen: 10, missing: 10) == nil)
        #expect(missing.note("Rental", seen: 10, missing: 10)?.missing == 20)
        #expect(missing.note("Rental", seen: 100, missing: 100) == nil)
        #expect(missing.note("Account", seen: 100, missing: 15) == nil)
        // Records are there again: another time is another episode.
        for _ in 1...10 { #expect(missing.note("Rental", seen: 900, missing: 0) == nil) }
        #expect(missing.note("Rental", seen: 5_000, missing: 5_000) != nil)
    }

    // MARK: Below the mark

    private func publishContinuously(_ harness: ProducerHarness, _ body: () async throws -> Void) async throws {
        var harness = harness
        harness.settings.pollInterval = .milliseconds(20)
        try await harness.withRelay { _ in
            try await body()
            while !Task.isCancelled, try await !harness.pending().isEmpty { await Task.yield() }
        }
    }

    @Test("rows below the marks are published by a relay that starts", arguments: postgres, [true, false])
    func belowAtStart(_ kind: TestDatabaseKind, _ isContinuous: Bool) async throws {
        try await ProducerHarness.run(kind) { harness in
            // As after a switch-over that copied the tables and not the sequence.
            try await harness.write("UPDATE dionysus_lanes SET low_water = 1000000", CaptureTests.account)
            if isContinuous { try await publishContinuously(harness) {} } else { try await harness.relay() }
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }

    @Test("a sequence that is set back under a relay loses no row", arguments: postgres)
    func setBack(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write("SELECT setval('dionysus_outboxes_id_seq', 5000)")
            try await publishContinuously(harness) {
                try await harness.write(CaptureTests.account)
                while !Task.isCancelled, try await !harness.pending().isEmpty { await Task.yield() }
                try await harness.write("TRUNCATE dionysus_outboxes RESTART IDENTITY")
                for number in 2...20 {
                    try await harness.write("INSERT INTO accounts (id, name) VALUES (\(number), 'x')")
                }
            }
            #expect(try await harness.messages(in: "v3_accounts").count == 20)
            let lanes = try await harness.database.transaction(.snapshot) {
                try $0.run(
                    "SELECT 1 FROM dionysus_lanes WHERE low_water > (SELECT last_value FROM dionysus_outboxes_id_seq)"
                )
            }
            #expect(lanes.isEmpty)
        }
    }

    @Test(
        "migrate has ids drawn one by one, and validate names a sequence that is behind or caches",
        arguments: postgres
    )
    func sequence(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, "ALTER SEQUENCE dionysus_outboxes_id_seq CACHE 100")
            #expect(
                try await harness.schema.validate().contains { $0.contains("CACHE 100") && $0.contains("run migrate") }
            )
            try await harness.schema.migrate(lanes: harness.settings.lanes)
            #expect(try await harness.schema.validate().isEmpty)
            try await harness.write(
                "UPDATE dionysus_outboxes SET id = 500",
                "SELECT setval('dionysus_outboxes_id_seq', 3)"
            )
            let faults = try await harness.schema.validate()
            #expect(faults.count == 1 && faults.first?.contains("SELECT setval('dionysus_outboxes_id_seq'") == true)
        }
    }

    @Test("a SQLite file that is replaced or removed while in use is reported, and not written to")
    func replaced() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/source.sqlite"
            let database = try SQLiteDatabase(path: path)
            _ = try await database.transaction(.write) { try $0.run("CREATE TABLE t (id INTEGER PRIMARY KEY)") }
            try FileManager.default.moveItem(atPath: path, toPath: "\(directory)/old.sqlite")
            for isThere in [false, true] {
                if isThere { await (try SQLiteDatabase(path: path)).close() }
                let error = await #expect(throws: DionysusError.self) {
                    _ = try await database.transaction(.write) { try $0.run("INSERT INTO t VALUES (1)") }
                }
                #expect(error?.code == .databaseUnavailable)
                #expect(error?.description.contains("has been replaced or removed") == true)
                #expect(error?.description.contains("start the process again") == true)
            }
            await database.close()
        }
    }

    // MARK: Locks

    @Test("a relay doesn't wait without end for the lock under which versions are raised", arguments: postgres)
    func versionLock(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            // Anybody can hold such a lock.
            let open = AsyncStream.makeStream(of: Void.self)
            let end = DispatchSemaphore(value: 0)
            async let holding: Void = harness.database.transaction(.write) { transaction in
                try transaction.run("SELECT pg_advisory_xact_lock(hashtext('dionysus:version'))")
                open.continuation.yield()
                end.wait()
            }
            for await _ in open.stream { break }
            _ = try await harness.pipeline()
            end.signal()
            try await holding
        }
    }
}
