import Dionysus
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// Attributes that the database computes.
@Suite struct SQLAttributeTests {
    static let bookings: Attribute<Lodge> = Attribute(
        "open_stays",
        sql: "select count(*) from stays s where s.lodge_id = lodge.id and s.gone_at is null",
        Int.self
    )

    @Test("values are written by their declared type, as properties are", arguments: TestDatabaseKind.available)
    func types(_ kind: TestDatabaseKind) async throws {
        let isPostgres = kind == .postgres
        let producer = LodgeSync(
            Self.bookings,
            Attribute("upper_name", sql: "upper(lodge.name)", String.self),
            Attribute("price", sql: "lodge.price", ExactDecimal.self, scale: 2),
            Attribute("double_price", sql: "lodge.price * 2", ExactDecimal.self, scale: 3),
            Attribute("is_large", sql: "lodge.rooms > 1", Bool.self),
            Attribute("ratio", sql: isPostgres ? "lodge.rooms / 4.0::float8" : "lodge.rooms / 4.0", Double.self),
            Attribute("nothing", sql: "nullif(lodge.rooms, lodge.rooms)", Int.self),
            Attribute("document", sql: "lodge.settings", JSON.self),
            Attribute("day", sql: isPostgres ? "date '2026-01-02'" : "'2026-01-02'", CalendarDate.self),
            Attribute(
                "time",
                sql: isPostgres ? "timestamp '2026-01-02 03:04:05'" : "'2026-01-02 03:04:05'",
                Timestamp.self
            )
        )
        try await ProducerHarness.withLodges(kind, producer) { harness in
            try await harness.write("UPDATE lodges SET name = 'Alp' WHERE id = 1")
            try await harness.relay()
            let lodge = try await harness.lodge(1)
            #expect(lodge["open_stays"] == .integer(2))
            #expect(lodge["upper_name"] == .string("ALP"))
            #expect(lodge["price"] == .string("10.50"))
            #expect(lodge["double_price"] == .string("21.000"))
            #expect(lodge["is_large"] == .bool(true))
            #expect(lodge["ratio"] == .number("0.5"))
            #expect(lodge["nothing"] == .null)
            #expect(lodge["document"] == .object(["color": "red"]))
            #expect(lodge["day"] == .string("2026-01-02"))
            #expect(lodge["time"] == .string("2026-01-02T03:04:05.000000Z"))
        }
    }

    @Test(
        "a value can be a query with common table expressions, or end in a comment",
        arguments: TestDatabaseKind.available
    )
    func forms(_ kind: TestDatabaseKind) async throws {
        let producer = LodgeSync(
            Attribute(
                "total",
                sql: "with s as (select price from stays x where x.lodge_id = lodge.id) select sum(price) from s",
                Int.self
            ),
            Attribute("commented", sql: "lodge.rooms + 1 -- and one", Int.self)
        )
        try await ProducerHarness.withLodges(kind, producer) { harness in
            try await harness.write("UPDATE lodges SET name = 'Alp' WHERE id = 1")
            try await harness.relay()
            let lodge = try await harness.lodge(1)
            #expect(lodge["total"] == .integer(150) && lodge["commented"] == .integer(3))
        }
    }

    @Test(
        "parts have SQL attributes too, and changes of what they read publish the whole",
        arguments: TestDatabaseKind.available
    )
    func parts(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, StaySync()) { harness in
            try await harness.write("UPDATE guests SET name = 'Gus' WHERE id = 1")
            #expect(
                try await harness.pending().sorted() == [
                    "lodge_updated Lodge:1 v1_lodges -", "lodge_updated Lodge:2 v1_lodges -",
                ]
            )
            try await harness.relay()
            guard case .array(let stays)? = try await harness.lodge(1)["stays"] else {
                Issue.record("the lodge has no stays")
                return
            }
            #expect(stays.map { $0["guest_name"] } == [.string("Gus"), .string("Hal")])
        }
    }

    @Test("an expression that fails keeps its record alone from being published", arguments: TestDatabaseKind.available)
    func failure(_ kind: TestDatabaseKind) async throws {
        // SQLite divides by zero without an error.
        let sql = kind == .postgres ? "10 / lodge.rooms" : "json(lodge.name)"
        let producer = LodgeSync(Attribute("value", sql: sql, JSON.self))
        try await ProducerHarness.withLodges(kind, producer) { harness in
            try await harness.write(
                "UPDATE lodges SET rooms = 5, name = '1'",
                "UPDATE lodges SET rooms = 0, name = 'no document' WHERE id = 2"
            )
            try await harness.relay()
            let published = Set(try await harness.messages(in: "v1_lodges").map(\.key))
            #expect(published == ["Lodge:1", "Lodge:3"])
            #expect(try await harness.pending().allSatisfy { $0.contains("Lodge:2") })
        }
    }

    @Test(
        "a null value fails a record whose attribute is declared not to be null",
        arguments: TestDatabaseKind.available
    )
    func notNull(_ kind: TestDatabaseKind) async throws {
        let producer = LodgeSync(Attribute("value", sql: "lodge.settings ->> 'size'", Int.self, nullable: false))
        let cast = LodgeSync(
            Attribute("value", sql: "cast(lodge.settings ->> 'size' as integer)", Int.self, nullable: false)
        )
        try await ProducerHarness.withLodges(kind, kind == .postgres ? cast : producer) { harness in
            try await harness.write("UPDATE lodges SET name = name || '!'")
            try await harness.relay()
            #expect(try await harness.messages(in: "v1_lodges").map(\.key) == ["Lodge:3"])
            #expect(try await harness.lodge(3)["value"] == .integer(3))
        }
    }

    @Test(
        "publishing N records costs a number of statements that doesn't grow with N",
        arguments: TestDatabaseKind.available
    )
    func statements(_ kind: TestDatabaseKind) async throws {
        var counts: [Int] = []
        for records in [10, 500] {
            var settings = ProducerSettings()
            settings.lanes = 1
            settings.batchSize = 10_000
            // All of them at once, although nobody knows yet how large they are.
            settings.memoryBudget = MemoryBudget(megabytes: 16_384)
            try await ProducerHarness.withLodges(kind, LodgeSync(Self.bookings), settings: settings) { harness in
                let rows = (1...records).map { "(\($0 + 100), 'L', 1)" }.joined(separator: ", ")
                try await harness.write("INSERT INTO lodges (id, name, owner_id) VALUES \(raw: rows)")
                let watched = WatchedDatabase(harness.database)
                let counted = ProducerHarness(
                    database: watched,
                    broker: harness.broker,
                    registry: harness.registry,
                    settings: settings
                )
                try await counted.relay()
                counts.append(watched.takeStatements().filter { $0.contains("dionysus_sql_") }.count)
                #expect(try await harness.messages(in: "v1_lodges").count == records)
            }
        }
        #expect(counts == [1, 1])
    }

    @Test("the contract has the declared type, which may be null unless it is declared not to be")
    func contract() throws {
        let producer = LodgeSync(
            Self.bookings,
            Attribute("total", sql: "lodge.price", ExactDecimal.self, scale: 2, nullable: false)
        )
        let model = try Registry(producer).contract.topics.first?.models.first
        let values = Dictionary(uniqueKeysWithValues: (model?.attributes ?? []).map { ($0.name, $0.value) })
        #expect(values["open_stays"] == ContractValue(.integer, isNullable: true))
        #expect(values["total"] == ContractValue(.decimal, isNullable: false, scale: 2))
    }

    @Test("a genesis run has the values", arguments: TestDatabaseKind.available)
    func genesis(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync(Self.bookings)) { harness in
            let genesis = Genesis(database: harness.database, registry: harness.registry, settings: harness.settings)
            _ = try await genesis.start(topic: "v1_lodges", model: "Lodge")
            try await harness.relay()
            let values = try await harness.messages(in: "v1_lodges").map { ($0.key, $0.payload["open_stays"]) }
            #expect(
                Dictionary(values, uniquingKeysWith: { $1 }) == [
                    "Lodge:1": .integer(2), "Lodge:2": .integer(1), "Lodge:3": .integer(0),
                ]
            )
        }
    }

    @Test("expressions whose values change by themselves are refused", arguments: TestDatabaseKind.available)
    func volatile(_ kind: TestDatabaseKind) async throws {
        let common = [
            "random()", "current_timestamp", "current_date", "select random() from stays s where s.lodge_id = lodge.id",
        ]
        let sqlite = [
            "randomblob(3)", "last_insert_rowid()", "changes()", "datetime('now')", "date()", "strftime('%s')",
            "julianday('now', '+1 day')", "datetime( 'NOW' )",
        ]
        let postgres = [
            "now()", "clock_timestamp()", "timeofday()", "nextval('numbers')", "current_user",
            "current_setting('TimeZone')",
            "gen_random_uuid()", "age(timestamp '2020-01-01')", "'today'::date", "timestamp 'now'", "txid_current()",
        ]
        try await ProducerHarness.withLodges(
            kind,
            LodgeSync(),
            preparing: kind == .postgres ? ["CREATE SEQUENCE numbers"] : []
        ) { harness in
            for sql in common + (kind == .postgres ? postgres : sqlite) {
                let faults = try await harness.faults(of: sql)
                #expect(
                    faults.contains { $0.contains("whose value changes although no row does") },
                    "\(sql): \(faults)"
                )
            }
            let fine = ["date('2026-01-01')", "upper(lodge.name)", "coalesce(lodge.name, 'now')"]
            for sql in fine { #expect(try await harness.faults(of: sql) == [], "\(sql)") }
        }
    }

    @Test("expressions that aren't one value are refused", arguments: TestDatabaseKind.available)
    func malformed(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            for sql in [
                "lodge.missing", "lodge.id), (lodge.id", "select id, name from stays", "lodge.id +", "", "$1",
                "missing(lodge.id)",
                "other.id",
            ] {
                let faults = try await harness.faults(of: sql)
                #expect(
                    faults.contains { $0.contains("attribute value: its SQL can't be evaluated") },
                    "\(sql): \(faults)"
                )
            }
        }
    }
}

extension ProducerHarness {
    /// What is wrong with an attribute of lodges.
    func faults(of sql: String) async throws -> [String] {
        let registry = Registry(LodgeSync.text(sql), settings: settings)
        // Triggers that fit another declaration are no fault of this one.
        return try await OutboxSchema(database: database, registry: registry).validate()
            .filter { $0.contains("attribute value") }
    }
}

/// Publishes lodges with their stays.
struct StaySync: Producer {
    struct LodgeSerializer: ModelSerializer {
        var fields: Fields<Lodge> {
            Attributes(.id, .name)
            HasMany("stays", Lodge.stays)
        }
    }

    struct StaySerializer: ModelSerializer {
        var fields: Fields<Stay> {
            Attributes(.id, .price)
            Attribute(
                "guest_name",
                sql: "select g.name from guests g where g.id = stay.guest_id",
                String.self
            )
        }
    }

    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                LodgeSerializer(); StaySerializer()
            }
        ) {
            Topic("lodges") { Publish(Lodge.self, with: Lodge.stays) }
        }
    }
}
