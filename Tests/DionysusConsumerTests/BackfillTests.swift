import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Columns that are assigned from the payloads that rows keep.
@Suite struct BackfillTests {
    private static func rental(_ id: Int, _ color: String, version: Int64 = 1) -> WireMessage {
        let payload = #"{"id":\#(id),"name":"rental \#(id)","color":\#(color),"links":{"owner":\#(id * 10)}}"#
        var message = WireMessage.event("rental_updated", "Rental", payload, version: version)
        message.key = "Rental:\(id)"
        return message
    }

    /// A replica whose columns `color` and `synced_owner_id` were added after the messages had been applied.
    private static func run(
        _ kind: TestDatabaseKind,
        _ messages: [WireMessage],
        type: String = "text",
        _ body: (ReplicaHarness) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(messages)
            try await replica.consume()
            _ = try await replica.database.transaction(.write) { transaction in
                try transaction.run([
                    "ALTER TABLE rentals ADD COLUMN color \(raw: type)",
                    "ALTER TABLE rentals ADD COLUMN synced_owner_id bigint",
                ])
            }
            try await body(replica)
        }
    }

    private static func backfill(_ replica: ReplicaHarness, _ mirror: Mirror = Mirror()) -> Backfill {
        Backfill(mirror, database: replica.database, settings: .forTests)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `columns that were added later are assigned from the payloads that rows keep`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.run(kind, (1...25).map { Self.rental($0, #""c\#($0)""#) }) { replica in
            let report = try await Self.backfill(replica)
                .run("Rental", columns: ["synced_owner_id", "color"], batchSize: 10)
            #expect(report.examined == 25 && report.assigned == 25 && report.absent == 0 && report.refused == 0)
            #expect(report.isFinished && report.columns == ["color", "synced_owner_id"])
            let rows = try await replica.rows(
                "SELECT synced_id, color, synced_owner_id FROM rentals ORDER BY synced_id"
            )
            #expect(rows == (1...25).map { "\($0) c\($0) \($0 * 10)" })
            // Once ended, it goes over all rows again, and finds them right.
            let again = try await Self.backfill(replica).run("Rental", columns: ["color"])
            #expect(again.examined == 25 && again.assigned == 0)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an attribute that is stored under another name is found`(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.rental(1, #""red""#)]) { replica in
            _ = try await replica.database.transaction(.write) {
                try $0.run("ALTER TABLE rentals ADD COLUMN paint text")
            }
            let mirror = Mirror(
                replicas: [Persist("Rental", table: "rentals").renaming("color", to: "paint").element]
            )
            try await Self.backfill(replica, mirror).run("Rental", columns: ["paint"])
            #expect(try await replica.rows("SELECT paint, color FROM rentals") == ["red -"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `rows that can't be assigned are left, counted and named`(_ kind: TestDatabaseKind) async throws {
        let messages = [
            Self.rental(1, "7"), Self.rental(2, #""blue""#), Self.rental(3, "-1"), Self.rental(4, "null"),
            .rental(.created, 5, name: "without"), Self.rental(6, "9"),
        ]
        try await Self.run(kind, messages, type: "integer CHECK (color > 0)") { replica in
            _ = try await replica.database.transaction(.write) {
                try $0.run("UPDATE rentals SET synced_data = NULL WHERE synced_id = 6")
            }
            let report = try await Self.backfill(replica).run("Rental", columns: ["color"])
            #expect(report.examined == 6 && report.assigned == 1 && report.absent == 2 && report.refused == 2)
            #expect(report.refusedIDs.sorted() == ["2", "3"])
            let rows = try await replica.rows("SELECT synced_id, color FROM rentals ORDER BY synced_id")
            #expect(rows == ["1 7", "2 -", "3 -", "4 -", "5 -", "6 -"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a backfill that was stopped goes on where it was`(_ kind: TestDatabaseKind) async throws {
        struct Stopped: Error {}
        try await Self.run(kind, (1...30).map { Self.rental($0, #""c\#($0)""#) }) { replica in
            let backfill = Self.backfill(replica)
            await #expect(throws: Stopped.self) {
                try await backfill.run("Rental", columns: ["color"], batchSize: 10) { report in
                    if report.examined == 20 { throw Stopped() }
                }
            }
            let half = try await replica.rows("SELECT count(color) FROM rentals")
            #expect(half == ["20"])
            // Those that are done are not looked at again.
            _ = try await replica.database.transaction(.write) {
                try $0.run("UPDATE rentals SET color = 'mine' WHERE synced_id = 1")
            }
            let report = try await backfill.run("Rental", columns: ["color"], batchSize: 10)
            #expect(report.examined == 30 && report.assigned == 30)
            #expect(
                try await replica.rows("SELECT color FROM rentals WHERE synced_id IN (1, 30)").sorted() == [
                    "c30", "mine",
                ]
            )
            let restarted = try await backfill.run("Rental", columns: ["color"], restarts: true)
            #expect(restarted.examined == 30 && restarted.assigned == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a row that changes meanwhile keeps the newer value`(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, (1...200).map { Self.rental($0, #""old""#) }) { replica in
            let (reports, continuation) = AsyncStream.makeStream(of: Int.self)
            try await replica.publish((1...200).map { Self.rental($0, #""new""#, version: 2) })
            try await withThrowingTaskGroup { tasks in
                tasks.addTask {
                    try await Self.backfill(replica)
                        .run("Rental", columns: ["color"], batchSize: 3) {
                            continuation.yield($0.examined)
                        }
                    continuation.finish()
                }
                // The consumer begins once the backfill is on its way.
                for await _ in reports { break }
                var settings = ConsumerSettings.forTests
                settings.batchSize = 7
                try await replica.consume(settings: settings)
                try await tasks.waitForAll()
            }
            #expect(try await replica.rows("SELECT DISTINCT color FROM rentals") == ["new"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `two runs for the same columns share the work`(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, (1...60).map { Self.rental($0, #""c\#($0)""#) }) { replica in
            try await withThrowingTaskGroup { tasks in
                for _ in 1...2 {
                    tasks.addTask {
                        _ = try await Self.backfill(replica).run("Rental", columns: ["color"], batchSize: 5)
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(try await replica.rows("SELECT count(color) FROM rentals") == ["60"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what can't be backfilled is refused before anything is written`(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.rental(1, #""red""#)]) { replica in
            _ = try await replica.database.transaction(.write) {
                try $0.run("CREATE TABLE plains (id bigint, synced_id bigint UNIQUE, color text)")
            }
            let backfill = Self.backfill(replica)
            for column in ["synced_id", "synced_version", "synced_data", "id", "created_at", "updated_at", "ghost"] {
                let error = await #expect(throws: DionysusError.self) {
                    try await backfill.run("Rental", columns: ["color", column])
                }
                #expect(error?.code == .declaration, "\(column)")
                #expect(error?.message.contains(column) == true)
            }
            let unknown = await #expect(throws: DionysusError.self) { try await backfill.run("Ghost", columns: ["a"]) }
            #expect(unknown?.code == .notFound)
            let plain = await #expect(throws: DionysusError.self) {
                try await backfill.run("Plain", columns: ["color"])
            }
            #expect(plain?.code == .declaration)
            #expect(try await replica.rows("SELECT color FROM rentals") == ["-"])
            #expect(try await replica.rows("SELECT replica FROM dionysus_backfills") == [])
        }
    }
}
