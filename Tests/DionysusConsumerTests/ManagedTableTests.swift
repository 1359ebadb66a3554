import Dionysus
import DionysusConsumer
import DionysusSchemas
import TestSupport
import Testing

/// Tables of a replica that `migrate` makes from a contract.
@Suite struct ManagedTableTests {
    private static func contract(rental more: String = "", name type: String = "string") throws -> Contract {
        let text = #"""
            {"dionysus":1,"topics":[
              {"name":"v3_bookings","encoding":"envelope","partition_key":"rental_id","models":[
                {"name":"Booking","key":{"name":"id","type":"integer"},"attributes":[
                   {"name":"id","type":"integer","nullable":false},
                   {"name":"start_at","type":"timestamp","nullable":false},
                   {"name":"final_price","type":"decimal","nullable":false,"scale":2},
                   {"name":"canceled_at","type":"timestamp","nullable":true}],
                 "links":[{"name":"rental","to":"one","models":["Rental"]},
                          {"name":"bookings_fees","to":"many","models":["BookingsFee"]}],
                 "with":[{"name":"BookingsFee","key":{"name":"id","type":"integer"},"attributes":[
                     {"name":"id","type":"integer","nullable":false},{"name":"name","type":"string","nullable":false},
                     {"name":"amount","type":"decimal","nullable":false,"scale":2}],
                   "links":[{"name":"booking","to":"one","models":["Booking"]}],"with":[]}]}]},
              {"name":"v3_rentals","encoding":"envelope","partition_key":"account_id","models":[
                {"name":"Rental","key":{"name":"id","type":"integer"},"attributes":[
                   {"name":"id","type":"integer","nullable":false},{"name":"name","type":"\#(type)","nullable":false}\#(more)],
                 "links":[],"with":[]}]},
              {"name":"v4_secrets","encoding":"envelope","partition_key":null,"models":[
                {"name":"Secret","key":{"name":"id","type":"integer"},"attributes":[],"links":[],"with":[]}]}]}
            """#
        return try Contract(parsing: Array(text.utf8))
    }

    private static let booking = WireMessage.event(
        "booking_created",
        "Booking",
        #"""
        {"id":7,"start_at":"2026-01-01T00:00:00.000Z","final_price":"120.50","canceled_at":null,
         "links":{"rental":1,"bookings_fees":[3]},
         "bookings_fees":[{"id":3,"name":"cleaning","amount":"20.50","links":{"booking":7}}]}
        """#
    )

    private static let rental = WireMessage.event(
        "rental_created",
        "Rental",
        #"{"id":1,"name":"Villa","stars":5,"opened_on":"2026-02-03","size":"12.345","links":{}}"#
    )

    private static func with(
        _ kind: TestDatabaseKind,
        _ body: @Sendable (ReplicaHarness, ConsumerSchema) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            _ = try await replica.database.transaction(.write) { transaction in
                try transaction.run(
                    ["accounts", "rentals", "bookings", "bookings_fees"].map { "DROP TABLE \(identifier: $0)" }
                )
            }
            try await body(replica, ConsumerSchema(database: replica.database))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `tables made from a contract keep what arrives, and an added attribute gets a column`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.with(kind) { replica, schema in
            let mirror = Mirror()
            let made = try await schema.migrateReplica(to: Self.contract(), mirror, settings: .forTests)
            #expect(made == ["bookings", "bookings_fees", "rentals"].map { "created table \($0)" })
            #expect(try await schema.migrateReplica(to: Self.contract(), mirror, settings: .forTests) == [])
            #expect(try await schema.validate(mirror, settings: .forTests) == [])
            try await replica.publish(Self.booking, Self.rental)
            try await replica.consume()
            #expect(
                try await replica.rows(
                    "SELECT synced_id, synced_rental_id, CAST(final_price * 100 AS integer), start_at FROM bookings"
                )
                    == ["7 1 12050 2026-01-01T00:00:00.000Z"]
            )
            #expect(
                try await replica.rows(
                    "SELECT synced_id, synced_booking_id, name, CAST(amount * 100 AS integer) FROM bookings_fees"
                )
                    == ["3 7 cleaning 2050"]
            )

            let added = #"""
                ,{"name":"stars","type":"integer","nullable":true},{"name":"opened_on","type":"date","nullable":true},
                {"name":"size","type":"decimal","nullable":true}
                """#
            let more = try await schema.migrateReplica(to: Self.contract(rental: added), mirror, settings: .forTests)
            #expect(more == ["stars", "opened_on", "size"].map { "added column \($0) to table rentals" })
            var again = Self.rental
            again.value = again.value.map {
                Array(String(decoding: $0, as: UTF8.self).replacing("created", with: "updated").utf8)
            }
            try await replica.publish(again)
            try await replica.consume()
            let rows = try await replica.rows("SELECT synced_id, name, stars, opened_on, size FROM rentals")
            #expect(rows.map { $0.prefix(20) } == ["1 Villa 5 2026-02-03"])
            #expect(rows.allSatisfy { $0.hasSuffix(" 12.345") })
            #expect(try await replica.rows("SELECT error_message FROM dionysus_failures") == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what would take more than adding is refused with its place, and nothing changes`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.with(kind) { replica, schema in
            try await replica.database.transaction(.write) { transaction in
                let dialect = transaction.dialect
                try transaction.run([
                    "CREATE TABLE rentals (id \(raw: dialect.columnType(.identity)), synced_id bigint UNIQUE, name text)",
                    "CREATE TABLE bookings (id \(raw: dialect.columnType(.identity)), final_price text)",
                ])
            }
            let error = await #expect(throws: DionysusError.self) {
                _ = try await schema.migrateReplica(
                    to: Self.contract(name: "integer"),
                    Mirror(),
                    settings: .forTests
                )
            }
            let text = (error?.description ?? "").lowercased()
            #expect(text.contains("column name of table rentals is of the type text, which can't hold whole numbers"))
            #expect(text.contains("table bookings has no column synced_id"))
            #expect(text.contains("column final_price of table bookings"))
            let table = try await replica.database.transaction(.snapshot) { try $0.describe(table: "bookings_fees") }
            #expect(table == nil)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `renamed columns, other tables and ignored models are made as they are declared`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.with(kind) { replica, schema in
            let mirror = Mirror(
                replicas: [
                    Persist("Rental", table: "houses").renaming("name", to: "title").softDeleting().element,
                    Ignore("Booking").element, Ignore("BookingsFee").element,
                ]
            )
            let made = try await schema.migrateReplica(to: Self.contract(), mirror, settings: .forTests)
            #expect(made == ["created table houses"])
            try await replica.publish(Self.rental)
            try await replica.consume(mirror)
            #expect(
                try await replica.rows("SELECT synced_id, title, synced_canceled_at FROM houses") == ["1 Villa -"]
            )
        }
    }
}
