import Dionysus
import DionysusPostgres
import DionysusProducer
import TestSupport
import Testing

/// What is particular to capture on PostgreSQL.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres)))
struct CapturePostgresTests {
    typealias Trial = CaptureTrial<ByTriggers>

    @Test("a writer needs no rights on the outbox, and its search path does not matter")
    func rights() async throws {
        try await Trial.run(.postgres) { trial in
            let role = "dionysus_writer_\(UInt32.random(in: 0 ... .max))"
            try await trial.change(
                "CREATE ROLE \(role)",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON shops, offers TO \(role)",
                "CREATE SCHEMA trap",
                "CREATE TABLE trap.dionysus_outboxes (LIKE dionysus_outboxes INCLUDING ALL)",
                "GRANT USAGE ON SCHEMA trap TO \(role)",
                "GRANT INSERT ON trap.dionysus_outboxes TO \(role)"
            )
            let rows = try await trial.harness.database.transaction(.write) { transaction in
                try transaction.run([
                    "SET LOCAL ROLE \(identifier: role)", "SET LOCAL search_path TO trap, public", SQL(raw: Trial.shop),
                    "UPDATE shops SET name = 'changed', region = 'south'",
                    "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)", "DELETE FROM shops",
                ])
                try transaction.run("RESET ROLE")
                return try transaction.run("SELECT count(*) FROM trap.dionysus_outboxes").first?.integer(0)
            }
            #expect(rows == 0)
            #expect(
                try await trial.harness.pending() == [
                    "shop_created Shop:1 v1_shops 7", "shop_updated Shop:1 v1_shops 7",
                    "shop_updated Shop:1 __outbox_observer__ -", "shop_updated Shop:1 v1_shops 7",
                    "shop_destroyed Shop:1 v1_shops 7",
                ]
            )
            try await trial.change("DROP OWNED BY \(role)", "DROP ROLE \(role)")
        }
    }

    @Test("TRUNCATE is refused with advice, unless capture is suppressed")
    func truncate() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.change(Trial.shop)
            await #expect(throws: DionysusError.self) { try await trial.change("TRUNCATE shops") }
            try await trial.harness.database.transaction(.write) { transaction in
                try transaction.suppressCapture()
                try transaction.run("TRUNCATE shops")
            }
            #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
        }
    }

    @Test("rows that a cascade deletes are captured")
    func cascade() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.change(
                "ALTER TABLE shops ADD FOREIGN KEY (area_id) REFERENCES areas (id) ON DELETE CASCADE",
                "INSERT INTO areas (id, name) VALUES (1, 'here')",
                "INSERT INTO shops (id, account_id, area_id, name) VALUES (1, 7, 1, 'a'), (2, 7, 1, 'b')",
                "DELETE FROM dionysus_outboxes",
                "DELETE FROM areas"
            )
            #expect(
                try await trial.harness.pending().sorted() == [
                    "area_destroyed Area:1 v1_areas -", "shop_destroyed Shop:1 v1_shops 7",
                    "shop_destroyed Shop:2 v1_shops 7",
                ]
            )
        }
    }

    @Test("a change of a column without equality is captured, also where it is the only one")
    func withoutEquality() async throws {
        let tables = ["CREATE TABLE places (id bigint PRIMARY KEY, details json, place point, size numeric)"]
        try await ProducerHarness.run(.postgres, tables: tables, producer: PlaceSync()) { harness in
            try await harness.run(
                "INSERT INTO places VALUES (1, '{}', '(1,2)', 1.0)",
                "DELETE FROM dionysus_outboxes",
                "UPDATE places SET details = details, place = place"
            )
            #expect(try await harness.pending() == [])
            try await harness.run(
                #"UPDATE places SET details = '{"a": 1}'"#,
                "UPDATE places SET place = '(2,2)'",
                "UPDATE places SET size = 1.00"
            )
            #expect(try await harness.pending() == Array(repeating: "place_updated Place:1 v1_places -", count: 3))
        }
    }

    @Test("every partition has the triggers, and validating names one that lacks them")
    func partitions() async throws {
        let tables = [
            Trial.tables[0],
            """
            CREATE TABLE shops (
              id bigint, account_id bigint NOT NULL, area_id bigint, name text NOT NULL, region text, closed_at text,
              PRIMARY KEY (id, account_id)
            ) PARTITION BY LIST (account_id)
            """,
            "CREATE TABLE shops_7 PARTITION OF shops FOR VALUES IN (7) PARTITION BY RANGE (id)",
            "CREATE TABLE shops_7_low PARTITION OF shops_7 FOR VALUES FROM (0) TO (100)",
            "CREATE TABLE shops_8 PARTITION OF shops FOR VALUES IN (8)",
            Trial.tables[2],
        ]
        try await ProducerHarness.run(.postgres, tables: tables, producer: ShopSync<ByTriggers>()) { harness in
            let trial = Trial(harness: harness)
            try await trial.change(
                "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a')",
                "INSERT INTO shops_7 (id, account_id, name) VALUES (2, 7, 'b')",
                "INSERT INTO shops_7_low (id, account_id, name) VALUES (3, 7, 'c')",
                "UPDATE shops SET account_id = 8 WHERE id = 1",
                "DELETE FROM shops_8"
            )
            let events = try await harness.pending()
            #expect(
                events.filter { $0.contains("Shop:2") || $0.contains("Shop:3") } == [
                    "shop_created Shop:2 v1_shops 7", "shop_created Shop:3 v1_shops 7",
                ]
            )
            // The row moves to another partition.
            #expect(
                events.filter { $0.contains("Shop:1") } == [
                    "shop_created Shop:1 v1_shops 7", "shop_updated Shop:1 v1_shops 8",
                    "shop_destroyed Shop:1 v1_shops 8",
                ]
            )
            try await trial.change("CREATE TABLE shops_9 PARTITION OF shops FOR VALUES IN (9)")
            #expect(
                try await harness.schema.validate() == [
                    "partition shops_9 of table shops has no capture triggers: run migrate"
                ]
            )
            try await harness.schema.migrate(lanes: 16)
            #expect(try await harness.schema.validate() == [])
            try await trial.change("DROP TRIGGER dionysus_capture_update ON shops_9", "DROP TABLE offers")
            try await harness.schema.uninstall()
            let functions = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT count(*) FROM pg_proc WHERE proname LIKE 'dionysus%'").first?.integer(0)
            }
            #expect(functions == 0)
        }
    }

    @Test("a partition key of any type is the text that relays expand it to")
    func partitionKeys() async throws {
        let kinds = [
            ("bpchar", "'7  '"), ("character(5)", "'7'"), ("varchar(5)", "'7 '"), ("inet", "'10.0.0.1'"),
            ("inet", "'10.0.0.0/8'"), ("inet", "'::1'"), ("cidr", "'10.0.0.0/8'"), ("boolean", "true"),
            ("boolean", "false"),
            ("timestamptz", "'2024-02-03 04:05:06.7+02'"), ("timestamp", "'2024-02-03 04:05:06'"),
            ("date", "'2024-02-03'"),
            ("time", "'04:05'"), ("bytea", #"'\xff00'"#), ("integer[]", "'{1,NULL,3}'"), ("inet[]", "'{10.0.0.1}'"),
            ("boolean[]", "'{t,f}'"), ("jsonb", #"'{"b":1,"a":2}'"#), ("numeric(10,2)", "'7.1'"), ("numeric", "'NaN'"),
            ("double precision", "'0.1'"), ("uuid", "'6a2f41a3-c54c-4ce8-93d2-0324e1c32e22'"), ("\"char\"", "'x'"),
            ("name", "'x'"), ("interval", "'1 day 2 hours'"), ("int4range", "'[1,3]'"), ("xml", "'<a/>'"),
            ("point", "'(1,2)'"),
        ]
        try await Trial.run(.postgres) { trial in
            let columns = kinds.indices.map { "k\($0)" }
            let definitions = zip(columns, kinds).map { "\($0) \($1.0)" }.joined(separator: ", ")
            try await trial.harness.run("CREATE TABLE kinds (id bigint PRIMARY KEY, \(definitions))")
            try await Self.install(
                table: "kinds",
                topics: columns.map { .init(name: $0, partitionKey: .column($0)) },
                trial.harness
            )
            try await trial.harness.run("INSERT INTO kinds VALUES (1, \(kinds.map(\.1).joined(separator: ", ")))")
            try await trial.harness.database.transaction(.snapshot) { transaction in
                for (column, kind) in zip(columns, kinds) {
                    let text = transaction.dialect.asText("\(identifier: column)")
                    let expanded = try transaction.run("SELECT \(text) FROM kinds").first?.text(0)
                    let captured = try transaction
                        .run("SELECT partition_key FROM dionysus_outboxes WHERE topic = \(column)").first?
                        .text(0)
                    #expect(expanded != nil && captured == expanded, "\(kind)")
                }
            }
        }
    }

    @Test("values that can't be read back from their text are in changesets, and no setting keeps others out")
    func unreadableTexts() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.harness.run(
                "CREATE SCHEMA hidden",
                "CREATE TABLE hidden.one (id int)",
                "CREATE TABLE jobs (id bigint PRIMARY KEY, handler regproc, target regclass, tags integer[], price numeric(5,2))"
            )
            try await Self.install(
                table: "jobs",
                topics: [.init(name: "t", partitionKey: .none)],
                changeset: .values,
                trial.harness
            )
            let rows = try await trial.harness.database.transaction(.write) { transaction in
                try transaction.run([
                    "SET LOCAL array_nulls = off",
                    """
                    INSERT INTO jobs SELECT 1, (SELECT min(oid) FROM pg_proc WHERE proname = 'max')::regproc, 'hidden.one',
                      ARRAY[1, NULL], 1.5
                    """,
                    "DELETE FROM jobs",
                ])
                return try transaction.run("SELECT changeset FROM dionysus_outboxes ORDER BY id DESC LIMIT 1")
                    .first?
                    .text(0)
            }
            let changeset = try JSON(parsing: Array((rows ?? "").utf8))
            #expect(changeset["handler"] == .array([.string("pg_catalog.max"), .null]))
            #expect(changeset["target"] == .array([.string("hidden.one"), .null]))
            #expect(changeset["tags"] == .array([.array([.integer(1), .null]), .null]))
        }
    }

    @Test("a key on the way to a record may be of a domain in a schema that the functions' owner may not use")
    func domainOnTheWay() async throws {
        try await Trial.run(.postgres) { trial in
            try await trial.harness.run(
                #"CREATE SCHEMA "kinds of ""us""""#,
                #"CREATE DOMAIN "kinds of ""us"""."a.b" AS integer"#,
                #"ALTER TABLE shops ALTER COLUMN id TYPE "kinds of ""us"""."a.b""#
            )
            try await trial.harness.schema.migrate(lanes: 16)
            #expect(try await trial.harness.schema.validate() == [])
            try await trial.harness.run(Trial.shop, "INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)")
            #expect(
                try await trial.harness.pending() == [
                    "shop_created Shop:1 v1_shops 7", "shop_updated Shop:1 v1_shops 7",
                ]
            )
        }
    }

    private static func install(
        table: String,
        topics: [RecordCapture.Topic],
        changeset: ChangesetContent = .minimal,
        _ harness: ProducerHarness
    ) async throws {
        var capture = TableCapture(table: table, primaryKey: "id")
        capture.records = [
            RecordCapture(
                modelName: "Kind",
                singular: "kind",
                table: table,
                primaryKey: "id",
                softDeleteColumn: nil,
                topics: topics,
                changeset: changeset
            )
        ]
        let request = CaptureRequest(tables: [capture])
        try await harness.database.transaction(.write) { transaction in
            let report = try harness.database.outbox.captureReport(request, in: &transaction)
            for difference in report.differences where difference.change.contains(table) {
                try transaction.run(difference.statements)
            }
        }
    }

    @Test("tables with long names in several schemas each have their own triggers")
    func longNames() async throws {
        try await Trial.run(.postgres) { trial in
            let name = String(repeating: "long", count: 14)
            @Sendable func capture(_ table: String, _ model: String) -> TableCapture {
                var capture = TableCapture(table: table, primaryKey: "id")
                capture.records = [
                    RecordCapture(
                        modelName: model,
                        singular: model,
                        table: table,
                        primaryKey: "id",
                        softDeleteColumn: nil,
                        topics: [.init(name: "t", partitionKey: .constant("one lane"))]
                    )
                ]
                return capture
            }
            try await trial.harness.database.transaction(.write) { transaction in
                let models = [("_a", "A"), ("_b", "B")]
                for (suffix, _) in models {
                    try transaction.run("CREATE TABLE \(identifier: name + suffix) (id bigint PRIMARY KEY)")
                }
                let request = CaptureRequest(tables: models.map { capture(name + $0.0, $0.1) })
                let report = try trial.harness.database.outbox.captureReport(request, in: &transaction)
                for difference in report.differences { try transaction.run(difference.statements) }
            }
            try await trial.change(
                "INSERT INTO \(name)_a VALUES (1)",
                "INSERT INTO \(name)_b VALUES (2)",
                "UPDATE \(name)_a SET id = 3"
            )
            #expect(
                try await trial.harness.pending().sorted() == [
                    "A_created A:1 t one lane", "A_created A:3 t one lane", "A_destroyed A:1 t one lane",
                    "B_created B:2 t one lane",
                ]
            )
        }
    }
}

private struct Place: Model {
    var id: Int
    var details: String?
    var place: String?
    var size: ExactDecimal?

    enum CodingKeys: String, CodingKey { case id, details, place, size }
}

private struct PlaceSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v1", serializers: Serializers { Whole(Place.self) }) { Topic("places") { Publish(Place.self) } }
    }
}
