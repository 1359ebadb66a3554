import Dionysus
import DionysusEmbedded
import DionysusPostgres
import DionysusSQLite
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// A table that some version of dionysus-rb's migration has made, or a user's own `outbox_model`.
struct RubyShape: Sendable, CustomTestStringConvertible {
    let kind: TestDatabaseKind
    /// The column after the others, or none.
    var changeset = "changeset jsonb"
    var hasTimeZone = false
    var name = OutboxTables.standardName
    var message = "varchar"

    var testDescription: String {
        "\(kind) \(name), \(changeset.isEmpty ? "no changeset" : changeset), \(hasTimeZone ? "with" : "without") time zone"
    }

    func creation() throws -> [SQL] {
        let tables = try OutboxTables(name)
        let identity = kind == .postgres ? "bigserial PRIMARY KEY" : "integer PRIMARY KEY AUTOINCREMENT NOT NULL"
        let time = kind == .sqlite ? "datetime(6)" : "timestamp(6) with\(hasTimeZone ? "" : "out") time zone"
        let table: SQL = """
            CREATE TABLE \(tables.outbox) (
              id \(raw: identity), resource_class varchar NOT NULL, resource_id varchar NOT NULL,
              event_name varchar NOT NULL, topic varchar NOT NULL, partition_key varchar, published_at \(raw: time),
              failed_at \(raw: time), retry_at \(raw: time), error_class varchar, error_message \(raw: message),
              attempts integer NOT NULL DEFAULT 0, created_at \(raw: time) NOT NULL,
              updated_at \(raw: time) NOT NULL\(raw: changeset.isEmpty ? "" : ", \(changeset)"))
            """
        return (tables.schema.map { ["CREATE SCHEMA \(identifier: $0)"] } ?? []) + [table]
    }

    /// Names that do harm where they are not quoted.
    static let hostileName = #"Out"box'; DROP TABLE rentals; --é $dionysus$ %s"#

    static var all: [RubyShape] {
        TestDatabaseKind.available.flatMap { kind in
            let changesets = [
                "", "changeset jsonb", "changeset jsonb NOT NULL DEFAULT '{}'", "changeset text",
                "changeset text NOT NULL DEFAULT '{}'",
            ]
            let zones = kind == .postgres ? [false, true] : [false]
            let schemas = kind == .postgres ? ["audit.outbox_events", "Au\"dit '.\(hostileName)"] : []
            let names = ["outbox_events", "order", hostileName] + schemas
            return changesets.flatMap { changeset in
                zones.map { RubyShape(kind: kind, changeset: changeset, hasTimeZone: $0) }
            }
                + names.flatMap { name in
                    ["", "changeset jsonb"].map { RubyShape(kind: kind, changeset: $0, name: name) }
                } + [RubyShape(kind: kind, changeset: "", message: "varchar(20)")]
        }
    }
}

/// Everything that is done with an outbox, on every table that dionysus-rb may have made.
@Suite struct RubyShapeTests {
    private static func run(_ shape: RubyShape, _ body: (ProducerHarness) async throws -> Void) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 1
        settings.pollInterval = .milliseconds(20)
        try await ProducerHarness.run(
            shape.kind,
            settings: settings,
            preparing: shape.creation(),
            outbox: try OutboxTables(shape.name)
        ) { harness in
            try await harness.write(
                "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)",
                "INSERT INTO rentals (id, account_id, name, price) VALUES (1, 1, 'Villa', 100)",
                "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 1, '2026-01-01T00:00:00Z', 10)",
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'tax', 3)",
                "DELETE FROM \(harness.outbox)"
            )
            try await body(harness)
        }
    }

    /// A row as dionysus-rb inserts it, without a changeset where it has none.
    private static func row(
        _ model: String,
        _ event: String,
        _ topic: String,
        in outbox: SQL,
        retry: Bool = false
    ) -> SQL {
        """
        INSERT INTO \(outbox) (resource_class, resource_id, event_name, topic, created_at, updated_at)
        VALUES (\(model), '1', \(event), \(topic), '2026-11-21 10:00:00.123456', '2026-11-21 10:00:00.123456')
        """
    }

    @Test("migrate, validate, capture, the relay, expansion, genesis and uninstall work", arguments: RubyShape.all)
    func work(_ shape: RubyShape) async throws {
        try await Self.run(shape) { harness in
            #expect(try await harness.schema.validate() == [])
            #expect(try await harness.schema.migrate(lanes: harness.settings.lanes).changes == [])
            #expect(try await harness.schema.plannedMigration(lanes: harness.settings.lanes).changes == [])

            // Triggers, in a session with another time zone.
            try await harness.database.transaction(.write) { transaction in
                if shape.kind == .postgres { try transaction.run("SET LOCAL TimeZone TO 'Asia/Kathmandu'") }
                try transaction.run("UPDATE rentals SET name = 'Casa'")
            }
            let age = try await harness.database.transaction(.snapshot) { [harness] transaction in
                let row = try transaction.run("SELECT created_at FROM \(harness.outbox)").first
                return try row?.timestamp(0).map { Timestamp.now.microseconds(since: $0) }
            }
            #expect(try #require(age).magnitude < 3_600_000_000)

            // Rows of a Ruby application: a record's, a dependency's and an observed one's.
            try await harness.write(
                Self.row("Rental", "rental_updated", "v3_rentals", in: harness.outbox),
                Self.row("BookingsFee", "bookings_fee_updated", "v3_bookings", in: harness.outbox),
                Self.row("Account", "account_updated", "__outbox_observer__", in: harness.outbox)
            )
            try await harness.relay()
            #expect(try await harness.pending() == [])
            #expect(
                try await harness.events(in: "v3_rentals")
                    == Array(repeating: "rental_updated Rental:1", count: 3)
            )
            #expect(try await harness.events(in: "v3_bookings") == ["booking_updated Booking:1"])

            _ = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_rentals").count == 4)
            #expect(try await harness.genesis.runs().map(\.state) == [.completed])

            try await harness.write("DELETE FROM bookings_fees", "DELETE FROM bookings", "DELETE FROM rentals")
            try await harness.relay()
            _ = try await TombstonePublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker,
                settings: harness.settings
            )
            .publish("Rental", id: "1", topic: "v3_rentals")

            try await harness.schema.uninstall()
            let names = ["dionysus_lanes", "dionysus_meta", "dionysus_genesis_runs"]
            let left = try await harness.database.transaction(.snapshot) { [database = harness.database] transaction in
                let tables = database.outbox.tables
                return try ([tables.name] + names)
                    .filter { try transaction.describe(table: tables.path($0)) != nil }
            }
            #expect(left == [])
        }
    }

    @Test("list, show, retry, discard, stats, prune, retention and what health reads work", arguments: RubyShape.all)
    func commands(_ shape: RubyShape) async throws {
        try await Self.run(shape) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(
                Self.row("Ghost", "ghost_updated", "v3_rentals", in: harness.outbox),
                Self.row("Rental", "rental_updated", "v3_rentals", in: harness.outbox)
            )
            #expect(try await inspector.entries().map(\.state) == [.pending, .pending])
            let backlog = try await harness.database.transaction(.snapshot) { [harness] transaction in
                let outbox = try Outbox.open(of: harness.database, in: &transaction)
                return try transaction.run([outbox.backlog(), outbox.failureCounts()]).map(\.count)
            }
            #expect(backlog == [1, 1])
            try await harness.relay()

            let parked = try #require(try await inspector.entries(OutboxFilter(scope: .parked)).first)
            #expect(parked.modelName == "Ghost" && parked.state == .parked && parked.errorMessage?.isEmpty == false)
            #expect(try await inspector.entries(OutboxFilter(scope: .failed)).map(\.id) == [parked.id])
            let published = try #require(try await inspector.entry(parked.id + 1))
            #expect(published.state == .published && published.changedColumns == [])
            let statistics = try #require(try await inspector.statistics().first)
            #expect(statistics.parked == 1 && statistics.published == 1 && statistics.topic == "v3_rentals")
            #expect(try await inspector.unpublished().parked == 1)
            #expect(try await inspector.refusedModels() == [])

            #expect(try await inspector.retry([parked.id, published.id]).map(\.outcome) == [.done, .published])
            #expect(try await inspector.entry(parked.id)?.state == .retrying)
            try await harness.relay()
            #expect(try await inspector.entry(parked.id)?.state == .parked)
            let discarded = try await inspector.discard([parked.id], reason: "the model is gone, and nobody needs it")
            #expect(discarded.map(\.outcome) == [.done])
            #expect(try await inspector.entry(parked.id)?.state == .published)
            #expect(try await inspector.unpublished().total == 0)

            #expect(try await inspector.prune(olderThan: .seconds(86_400)) == 0)
            // As another program would have written it.
            try await harness.write("UPDATE \(harness.outbox) SET published_at = '2026-11-21 10:00:00.123456'")
            #expect(try await inspector.prune(olderThan: .seconds(60)) == 2)
        }
    }
}

/// An outbox under a name, or in a schema, of the user's own.
@Suite struct OutboxTableTests {
    @Test("a table that is no outbox is neither filled nor removed", arguments: TestDatabaseKind.available)
    func noOutbox(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind, outbox: OutboxTables("accounts")) { database in
            try await database.transaction(.write) { try SourceSchema.create(in: &$0) }
            let schema = OutboxSchema(database: database, registry: Registry(BookingSync()))
            for attempt in [
                { _ = try await schema.migrate(lanes: 4) }, { _ = try await schema.plannedMigration(lanes: 4) },
                { try await schema.uninstall() },
            ] {
                let error = await #expect(throws: DionysusError.self) { try await attempt() }
                #expect(error?.message.contains("table accounts is no outbox, because it lacks resource_class") == true)
            }
            let isLeft = try await database.transaction(.snapshot) { try $0.describe(table: "accounts") != nil }
            #expect(isLeft)
        }
    }

    @Test("an outbox that was never migrated is planned, told, and left alone", arguments: TestDatabaseKind.available)
    func unmigrated(_ kind: TestDatabaseKind) async throws {
        for shape in [RubyShape(kind: kind), RubyShape(kind: kind, changeset: "", name: "outbox_events")] {
            try await withTemporaryDatabase(kind, outbox: OutboxTables(shape.name)) { database in
                let creation = try shape.creation()
                try await database.transaction(.write) { transaction in
                    try SourceSchema.create(in: &transaction)
                    try transaction.run(creation)
                }
                let schema = OutboxSchema(database: database, registry: Registry(BookingSync()))
                let planned = try await schema.plannedMigration(lanes: 4).changes
                #expect(planned.first == "created or upgraded the outbox's tables")
                #expect(planned.contains { $0.hasPrefix("installed capture triggers on") })
                #expect(try await schema.validate().contains { $0.contains("made by another program") })
                try await schema.uninstall()
                let name = shape.name
                let isLeft = try await database.transaction(.snapshot) { try $0.describe(table: name) != nil }
                #expect(isLeft)
                #expect(try await schema.migrate(lanes: 4).changes == planned)
                #expect(try await schema.plannedMigration(lanes: 4).changes == [])
            }
        }
    }

    @Test(
        "columns of an outbox that can't hold every text are reported",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func types() async throws {
        try await withTemporaryDatabase(.postgres) { database in
            try await database.transaction(.write) { transaction in
                try SourceSchema.create(in: &transaction)
                try transaction.run(RubyShape(kind: .postgres).creation())
                try transaction.run("ALTER TABLE dionysus_outboxes ALTER resource_id TYPE bigint USING 0")
            }
            let schema = OutboxSchema(database: database, registry: Registry(BookingSync()))
            let error = await #expect(throws: DionysusError.self) { try await schema.migrate(lanes: 4) }
            #expect(error?.message.contains("resource_id is bigint") == true)
        }
    }

    @Test(
        "an outbox moves to another table once it is empty, and its relays follow",
        arguments: TestDatabaseKind.available
    )
    func moves(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDirectory { directory in
            try await Self.withURL(kind, directory) { open in
                let first = try open("dionysus_outboxes")
                try await first.transaction(.write) { try SourceSchema.create(in: &$0) }
                let registry = Registry(BookingSync())
                try await OutboxSchema(database: first, registry: registry).migrate(lanes: 4)
                _ = try await first.transaction(.write) { transaction in
                    try transaction.run(CaptureTests.account)
                    try transaction.run("INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'Villa')")
                }
                let second = try open("outbox_events")
                let schema = OutboxSchema(database: second, registry: registry)
                let refusal = await #expect(throws: DionysusError.self) { try await schema.migrate(lanes: 4) }
                #expect(refusal?.message.contains("has 2 rows that are not published") == true)

                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                let before = ProducerHarness(
                    database: first,
                    broker: broker,
                    registry: registry,
                    settings: ProducerSettings()
                )
                try await before.relay()
                try await schema.migrate(lanes: 4)
                #expect(try await schema.migrate(lanes: 4).changes == [])
                #expect(try await schema.validate() == [])
                // A relay that is still set to the old table would never see a row.
                let error = await #expect(throws: DionysusError.self) { try await before.relay() }
                #expect(error?.message.contains("captured into outbox_events") == true)

                let after = ProducerHarness(
                    database: second,
                    broker: broker,
                    registry: registry,
                    settings: ProducerSettings()
                )
                try await after.write("UPDATE rentals SET name = 'Casa'")
                try await after.relay()
                #expect(
                    try await after.events(in: "v3_rentals") == ["rental_created Rental:1", "rental_updated Rental:1"]
                )
                await broker.close()
                await first.close()
                await second.close()
            }
        }
    }

    @Test(
        "two applications have outboxes in two schemas by their names alone",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func schemas() async throws {
        try await withTemporaryPostgresURL { url in
            func open(_ name: String) throws -> PostgresDatabase {
                var options = PostgresOptions()
                options.outbox = try OutboxTables(name)
                return try PostgresDatabase(url: url, options: options)
            }
            let (shops, billing) = (try open("shops.outbox"), try open("billing.outbox"))
            try await shops.transaction(.write) { transaction in
                try SourceSchema.create(in: &transaction)
                try transaction.run("CREATE SCHEMA shops")
                try transaction.run("CREATE SCHEMA billing")
            }
            for (database, name) in [(shops, "shops"), (billing, "billing")] {
                var settings = ProducerSettings()
                settings.application = name
                let registry = Registry(BookingSync(), settings: settings)
                let schema = OutboxSchema(database: database, registry: registry)
                try await schema.migrate(lanes: 4)
                #expect(try await schema.migrate(lanes: 4).changes == [])
                #expect(try await schema.validate() == [])
            }
            _ = try await shops.transaction(.write) { try $0.run(CaptureTests.account) }
            for database in [shops, billing] {
                let inspector = OutboxInspector(database: database)
                #expect(try await inspector.entries().map(\.recordID) == ["1"])
            }
            await shops.close()
            await billing.close()
        }
    }

    @Test(
        "what can be no table's name is refused",
        arguments: [
            "", ".", "a.", ".a", "a.b.c", "a\0b", String(repeating: "é", count: 32), "dionysus_meta",
            "x.DIONYSUS_LANES",
        ]
    )
    func names(_ name: String) {
        #expect(throws: DionysusError.self) { try OutboxTables(name) }
    }

    @Test("SQLite has no schemas for it")
    func noSchema() async throws {
        try await withTemporaryDirectory { directory in
            var options = SQLiteOptions()
            options.outbox = try OutboxTables("audit.outbox")
            let error = #expect(throws: DionysusError.self) {
                try SQLiteDatabase(path: "\(directory)/test.sqlite", options: options)
            }
            #expect(error?.message.contains("has no schemas") == true)
        }
    }

    @Test("the names of indexes begin with ours and fit into the database's limit")
    func indexes() throws {
        #expect(OutboxTables().index("pending") == "dionysus_outboxes_pending")
        #expect(try OutboxTables("a.events").index("failed") == "dionysus_events_failed")
        let long = try OutboxTables(String(repeating: "é", count: 31)).index("retrying")
        #expect(long.utf8.count <= 63 && long.hasPrefix("dionysus_é") && long.hasSuffix("é_retrying"))
    }

    private static func withURL(
        _ kind: TestDatabaseKind,
        _ directory: String,
        _ body: ((String) throws -> any CapturingDatabase) async throws -> Void
    ) async throws {
        switch kind {
        case .sqlite:
            try await body { name in
                var options = SQLiteOptions()
                options.outbox = try OutboxTables(name)
                return try SQLiteDatabase(path: "\(directory)/source.sqlite", options: options)
            }
        case .postgres:
            try await withTemporaryPostgresURL { url in
                try await body { name in
                    var options = PostgresOptions()
                    options.outbox = try OutboxTables(name)
                    return try PostgresDatabase(url: url, options: options)
                }
            }
        }
    }
}
