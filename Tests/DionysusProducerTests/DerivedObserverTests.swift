import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What changes publish records whose attributes are SQL: those that the database says they read.
@Suite struct DerivedObserverTests {
    /// A row of each table that lodge 1 has to do with, by its columns and what they are changed to.
    private static let changes: [String: [(column: String, value: SQL)]] = [
        "owners": [("name", "'Zoe'"), ("fee", "fee + 1"), ("region", "'west'")],
        "lodges": [
            ("name", "'Zet'"), ("owner_id", "2"), ("price", "price + 1"), ("rooms", "rooms + 1"), ("settings", "NULL"),
        ],
        "guests": [("name", "'Zac'"), ("country", "'DK'")],
        "stays": [
            ("lodge_id", "3"), ("former_lodge_id", "1"), ("guest_id", "2"), ("price", "price + 1"),
            ("nights", "nights + 1"),
            ("note", "'new'"), ("gone_at", "'2026-01-01 00:00:00'"),
        ],
        "tags": [("label", "'zoo'"), ("weight", "weight + 1")],
        "lodge_tags": [("lodge_id", "3"), ("tag_id", "2"), ("place", "place + 1")],
    ]

    @Test(
        "a record is published exactly when a column that its SQL reads has changed",
        arguments: TestDatabaseKind.available
    )
    func columns(_ kind: TestDatabaseKind) async throws {
        let expressions = SQLExpression.all(kind)
        #expect(expressions.count >= 60)
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            for expression in expressions {
                let observed = try await harness.observing(expression.sql)
                for (table, columns) in Self.changes {
                    for (column, value) in columns {
                        let published = try await observed.published(
                            by: "UPDATE \(identifier: table) SET \(identifier: column) = \(value) WHERE id = 1"
                        )
                        // The model itself has the name.
                        let isOwn =
                            table == "lodges"
                            && (column == "name" || expression.reads["lodge"]?.contains(column) == true)
                        let isRead = isOwn || expression.reads[table]?.contains(column) == true
                        #expect(published.contains("1") == isRead, "\(expression): \(table).\(column)")
                    }
                }
                let inserted = try await observed.published(by: "INSERT INTO stays (id, lodge_id) VALUES (9, 1)")
                let deleted = try await observed.published(by: "DELETE FROM stays WHERE id = 2")
                let readsStays =
                    expression.reads["stays"] != nil && expression.reads["stays"]?.contains("lodge_id") == true
                #expect(inserted.contains("1") == readsStays, "\(expression): an insert")
                #expect(deleted.contains("1") == readsStays, "\(expression): a deletion")
            }
        }
    }

    @Test(
        "a change of another row of the same table publishes the records that are related to it",
        arguments: TestDatabaseKind.available
    )
    func siblings(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            let observed = try await harness.observing(
                "select sum(l.price) from lodges l where l.owner_id = lodge.owner_id"
            )
            #expect(try await observed.published(by: "UPDATE lodges SET price = 99 WHERE id = 2") == ["1", "2"])
            #expect(try await observed.published(by: "UPDATE lodges SET owner_id = 2 WHERE id = 2") == ["1", "2", "3"])
            #expect(try await observed.published(by: "UPDATE lodges SET rooms = 9 WHERE id = 2") == [])
            #expect(
                try await observed.published(by: "INSERT INTO lodges (id, name, owner_id) VALUES (4, 'New', 2)") == [
                    "3", "4",
                ]
            )
        }
    }

    @Test("a row that moves publishes the records that it left and reached", arguments: TestDatabaseKind.available)
    func moves(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            let observed = try await harness.observing("select sum(s.price) from stays s where s.lodge_id = lodge.id")
            #expect(try await observed.published(by: "UPDATE stays SET lodge_id = 3 WHERE id = 1") == ["1", "3"])
            #expect(try await observed.published(by: "UPDATE stays SET price = 1") == ["1", "2"])
            #expect(try await observed.published(by: "UPDATE stays SET note = 'x'") == [])
        }
    }

    @Test("what can't be derived is refused with the way to write", arguments: TestDatabaseKind.available)
    func refusals(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            for (sql, table) in [
                ("select count(*) from holidays", "holidays"),
                ("select count(*) from stays", "stays"),
                ("select count(*) from stays s where s.lodge_id > lodge.id", "stays"),
                ("select count(*) from stays s where s.lodge_id <> lodge.id", "stays"),
                ("select max(l.price) from lodges l", "lodges"),
                (
                    "select count(*) from stays s where s.lodge_id = lodge.id and s.price > (select avg(x.price) from stays x)",
                    "stays"
                ),
                ("select max(l.price) from lodges l where l.rooms = lodge.rooms", "lodges"),
                ("select name from holidays h where h.name = lodge.name", "holidays"),
                ("select count(*) from stays s where s.lodge_id = lodge.id or s.price > 5", "stays"),
                ("select count(*) from stays s where (s.price > 5 or s.lodge_id = lodge.id) and s.price < 9", "stays"),
                ("select count(*) from stays s where s.lodge_id = lodge.id or s.note = lodge.name", "stays"),
                ("select count(*) from stays s where s.price > 1 and not s.lodge_id = lodge.id", "stays"),
                ("select count(*) from stays s where not (s.price > 1 and s.lodge_id = lodge.id)", "stays"),
                ("select count(*) from stays s where coalesce(s.lodge_id = lodge.id, true)", "stays"),
                ("select sum(case when s.lodge_id = lodge.id then 0 else 1 end) from stays s", "stays"),
                (
                    "select count(*) from (select s.lodge_id from stays s order by s.price limit 3) t where t.lodge_id = lodge.id",
                    "stays"
                ),
                (
                    """
                    select max(t.place) from (select s.lodge_id, rank() over (order by s.price) as place from stays s) t
                    where t.lodge_id = lodge.id
                    """,
                    "stays"
                ),
            ] {
                let faults = try await harness.faults(of: sql)
                #expect(
                    faults.contains { $0.contains("it reads \(table), and nothing tells which Lodge records") },
                    "\(sql): \(faults)"
                )
            }
            let faults = try await harness.faults(
                of: "select count(*) from stays s where s.lodge_id + 0 = lodge.id + 0"
            )
            #expect(faults.contains { $0.contains("stays.lodge_id") && $0.contains("via:") }, "\(faults)")
            await #expect(throws: DionysusError.self) {
                _ = try await harness.observing("select count(*) from holidays")
            }
        }
    }

    @Test("a way that is written by hand takes the place of a derived one", arguments: TestDatabaseKind.available)
    func via(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            let observed = try await harness.observing(
                LodgeSync(
                    Attribute(
                        "value",
                        sql: "select count(*) from stays s where s.lodge_id + 0 = lodge.id + 0 and s.price > 10",
                        Int.self,
                        via: Lodge.stays
                    )
                )
            )
            #expect(try await observed.published(by: "UPDATE stays SET price = 1 WHERE id = 1") == ["1"])
            #expect(try await observed.published(by: "UPDATE stays SET nights = 9 WHERE id = 1") == [])
            #expect(try await observed.published(by: "DELETE FROM stays WHERE id = 3") == ["2"])
        }
    }

    @Test(
        "a relay doesn't begin while triggers capture other columns than the expressions read",
        arguments: TestDatabaseKind.available
    )
    func stale(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            let registry = Registry(LodgeSync.text("lodge.rooms"), settings: harness.settings)
            let other = ProducerHarness(
                database: harness.database,
                broker: harness.broker,
                registry: registry,
                settings: harness.settings
            )
            await #expect(throws: DionysusError.self) { try await other.relay() }
            try await other.schema.migrate(lanes: harness.settings.lanes)
            try await other.relay()
            #expect(try await other.schema.validate() == [])
        }
    }

    @Test("functions that the database doesn't look into are refused, unless what they read is declared")
    func functions() async throws {
        guard TestDatabaseKind.available.contains(.postgres) else { return }
        let functions: [SQL] = [
            """
            CREATE FUNCTION stay_count(lodge bigint) RETURNS bigint LANGUAGE sql STABLE AS
            'SELECT count(*) FROM stays WHERE lodge_id = lodge AND gone_at IS NULL'
            """,
            "CREATE FUNCTION doubled(number bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT number * 2'",
            "CREATE MATERIALIZED VIEW counted AS SELECT lodge_id, count(*) FROM stays GROUP BY lodge_id",
        ]
        try await ProducerHarness.withLodges(.postgres, LodgeSync(), preparing: functions) { harness in
            #expect(
                try await harness.faults(of: "stay_count(lodge.id)").contains { $0.contains("the function stay_count") }
            )
            #expect(try await harness.faults(of: "doubled(lodge.rooms)") == [])
            #expect(
                try await harness.faults(of: "select c.count from counted c where c.lodge_id = lodge.id")
                    .contains { $0.contains("the materialized view counted") }
            )
            let observed = try await harness.observing(
                LodgeSync(
                    Attribute(
                        "value",
                        sql: "stay_count(lodge.id)",
                        Int.self,
                        via: Lodge.stays,
                        reading: ["stays": ["lodge_id", "gone_at"]]
                    )
                )
            )
            #expect(try await observed.published(by: "UPDATE stays SET gone_at = '2026-01-01' WHERE id = 3") == ["2"])
            #expect(try await observed.published(by: "UPDATE stays SET price = 3 WHERE id = 3") == [])
        }
    }
}
