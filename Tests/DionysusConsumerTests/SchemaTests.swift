import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite struct SchemaTests {
    @Test(arguments: TestDatabaseKind.available)
    func `migrating can be repeated, and done by several at once`(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind) { database in
            let schema = ConsumerSchema(database: database)
            try await withThrowingTaskGroup { group in
                for _ in 1...4 { group.addTask { try await schema.migrate() } }
                try await group.waitForAll()
            }
            try await schema.migrate()
            try await schema.uninstall()
            try await schema.uninstall()
            let table = try await database.transaction(.snapshot) { try $0.describe(table: "dionysus_offsets") }
            #expect(table == nil)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `all faults of a declaration are found at once`(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { try ReplicaTables.create(in: &$0) }
            _ = try await database.transaction(.write) { transaction in
                try transaction.run([
                    "CREATE TABLE plain (id bigint PRIMARY KEY)",
                    "CREATE TABLE loose (synced_id bigint, synced_version text)",
                ])
            }
            let mirror = Mirror(
                rentals: ConsumerTopic("bookings").deadLetterQueue("v3_bookings"),
                replicas: [
                    Persist("Ghost", table: "ghosts").element,
                    Persist("Plain", table: "plain").element,
                    Persist("Loose", table: "loose").softDeleting().element,
                    Persist("Rental", table: "rentals").renaming("title", to: "headline").element,
                    Persist("Booking", table: "bookings").replacing("bookings_fees", foreignKey: "nowhere").element,
                ]
            )
            var settings = ConsumerSettings()
            settings.batchSize = 0
            let faults = try await ConsumerSchema(database: database).validate(mirror, settings: settings)
            for part in [
                "batchSize", "declared 2 times", "own dead-letter queue", "no table dionysus_offsets",
                "no table dionysus_failures", "no table ghosts", "plain has no column synced_id",
                "no unique key on synced_id", "not bigint", "no column synced_canceled_at", "no column headline",
                "no column nowhere",
            ] {
                #expect(faults.contains { $0.contains(part) }, "\(part)")
            }
            // Beside Dionysus's own tables, which are all missing.
            #expect(faults.filter { !$0.contains("no table dionysus_") }.count == 10)
        }
    }

    /// Types that our own columns can't be of, in either database.
    private static let unfit: [(column: String, type: String, word: String)] = [
        ("synced_id", "boolean", "the ids of records"), ("synced_id", "timestamp", "the ids of records"),
        ("synced_created_at", "bigint", "times"), ("synced_updated_at", "integer", "times"),
        ("synced_updated_at", "boolean", "times"), ("synced_canceled_at", "double precision", "times"),
        ("created_at", "bigint", "times"), ("updated_at", "numeric", "times"), ("synced_data", "integer", "payloads"),
    ]

    @Test(arguments: TestDatabaseKind.available)
    func `a column of ours whose type can't hold what comes is a fault that says what to do`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await ConsumerSchema(database: database).migrate()
            let own = [
                "synced_id", "synced_created_at", "synced_updated_at", "synced_canceled_at", "created_at", "updated_at",
            ]
            for (column, type, word) in Self.unfit {
                let columns = (own + ["synced_data"])
                    .map { name in
                        let usual = name == "synced_id" ? "bigint" : name == "synced_data" ? "text" : "timestamp"
                        return "\(name) \(name == column ? type : usual)\(name == "synced_id" ? " UNIQUE" : "")"
                    }
                _ = try await database.transaction(.write) { transaction in
                    try transaction.run([
                        "DROP TABLE IF EXISTS things", "CREATE TABLE things (\(raw: columns.joined(separator: ", ")))",
                    ])
                }
                let mirror = Mirror(replicas: [Persist("Thing", table: "things").element])
                let faults = try await ConsumerSchema(database: database).validate(mirror, settings: .forTests)
                #expect(faults.count == 1, "\(column) \(type): \(faults)")
                let fault = faults.first ?? ""
                #expect(fault.contains(" \(column) ") && fault.contains(word) && fault.contains("give it the type"))
            }
        }
    }

    @Test func `a consumer does not start with a declaration that does not fit`() async throws {
        try await ReplicaHarness.run(.sqlite) { replica in
            let mirror = Mirror(replicas: [Persist("Ghost", table: "ghosts").element])
            let error = await #expect(throws: DionysusError.self) { try await replica.consume(mirror) }
            #expect(error?.code == .declaration)
            #expect(error?.message.contains("ghosts") == true)
        }
    }
}
