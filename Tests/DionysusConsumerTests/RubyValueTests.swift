import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// What dionysus-rb's consumers take, and what its producers write.
@Suite struct RubyValueTests {
    private static func rental(_ members: String) -> WireMessage {
        .event("rental_created", "Rental", #"{"id":1,\#(members),"links":{}}"#)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an empty text is no value where the column holds no texts`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.expect(
            kind,
            [
                Self.rental(
                    #""name":"","price":"","bedrooms":"","check_in_time":" ","canceled_at":"","updated_at":"","extra":"""#
                )
            ],
            by: Mirror(),
            give: ["1  - - - - -"],
            in:
                "SELECT synced_id, name, price, bedrooms, check_in_time, synced_canceled_at, synced_updated_at FROM rentals"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an empty text for a column that must have a value fails`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.expect(
            kind,
            [Self.rental(#""name":"a","stars":"""#)],
            by: Mirror(),
            after: ["ALTER TABLE rentals ADD COLUMN stars integer NOT NULL DEFAULT 3"],
            give: [],
            in: rentalNames,
            failures: ["0"]
        )
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            "2026-11-28 10:00:00 UTC", "2026-11-28 11:00:00 +0100", "2026/11/28 10:00:00 +0000", "2026-11-28T10:00:00Z",
            "2026-11-28 10:00:00", "2026-11-28 10:00:00.000 UTC",
        ]
    )
    func `times are read as Rails writes them`(_ kind: TestDatabaseKind, _ time: String) async throws {
        try await ReplicaHarness.expect(
            kind,
            [Self.rental(#""created_at":"\#(time)","updated_at":"\#(time)","canceled_at":"\#(time)""#)],
            by: Mirror(),
            give: ["2026-11-28T10:00:00.000Z 2026-11-28T10:00:00.000Z 2026-11-28T10:00:00.000Z"],
            in: "SELECT synced_created_at, synced_updated_at, synced_canceled_at FROM rentals"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `of a list of records the one without an id is recorded, and the others are applied`(
        _ kind: TestDatabaseKind
    ) async throws {
        let records = #"{"id":1,"name":"a","links":{}},{"name":"nobody","links":{}},{"id":2,"name":"b","links":{}}"#
        try await ReplicaHarness.expect(
            kind,
            [.event("rental_created", "Rental", records), .rental(.created, 3, name: "c")],
            by: Mirror(),
            give: ["1 a", "2 b", "3 c"],
            in: rentalNames,
            failures: ["0"]
        )
        try await ReplicaHarness.expect(
            kind,
            [.event("rental_created", "Rental", #"{"id":null,"name":"a"}"#)],
            by: Mirror(),
            give: [],
            in: rentalNames,
            failures: ["0"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a sideloaded record without an id is recorded, and its parent and the others are applied`(
        _ kind: TestDatabaseKind
    ) async throws {
        let booking = """
            {"id":1,"links":{"bookings_fees":[1,null,2]},"bookings_fees":[{"id":1,"name":"a"},{"name":"b"},null,\
            {"id":2,"name":"c"}]}
            """
        try await ReplicaHarness.expect(
            kind,
            [.event("booking_created", "Booking", booking)],
            by: Mirror(),
            give: ["1 a", "2 c"],
            in: "SELECT synced_id, name FROM bookings_fees ORDER BY synced_id",
            failures: ["0"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `links that are an empty list, and data that is one object, are taken`(_ kind: TestDatabaseKind) async throws {
        let alone = """
            {"message":[{"event":"rental_created","model_name":"Rental","data":{"id":2,"name":"b","links":[]}}]}
            """
        try await ReplicaHarness.expect(
            kind,
            [
                .event("rental_created", "Rental", #"{"id":1,"name":"a","links":[]}"#),
                WireMessage("v3_rentals", key: "Rental:2", value: alone),
            ],
            by: Mirror(),
            give: ["1 a", "2 b"],
            in: rentalNames
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a list of links with null in it, or with null in the place of its records, is taken`(
        _ kind: TestDatabaseKind
    ) async throws {
        func booking(_ links: String, _ records: String) -> WireMessage {
            .event(
                "booking_updated",
                "Booking",
                #"{"id":1,"links":{"bookings_fees":\#(links)},"bookings_fees":\#(records)}"#
            )
        }
        func fee(_ id: Int) -> String { #"{"id":\#(id),"links":{"booking":1}}"# }
        let query: SQL = "SELECT synced_id FROM bookings_fees ORDER BY synced_id"
        try await ReplicaHarness.expect(
            kind,
            [booking("[1,2,3]", "[\(fee(1)),\(fee(2)),\(fee(3))]"), booking("[1,null]", "[\(fee(1)),null]")],
            by: Mirror(),
            give: ["1"],
            in: query
        )
        try await ReplicaHarness.expect(
            kind,
            [booking("[1,2,3]", "[\(fee(1)),\(fee(2)),\(fee(3))]"), booking("[1,2]", "null")],
            by: Mirror(),
            give: ["1", "2"],
            in: query
        )
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [#""bedrooms":"15:00""#, #""bedrooms":true"#, #""price":"1,5""#, #""created_at":"tomorrow""#]
    )
    func `what Ruby would store as something else fails`(_ kind: TestDatabaseKind, _ member: String) async throws {
        try await ReplicaHarness.expect(
            kind,
            [Self.rental(member)],
            by: Mirror(),
            give: [],
            in: rentalNames,
            failures: ["0"]
        )
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            ("Medium", "media"), ("Alias", "aliases"), ("Movie", "movies"), ("News", "news"), ("Series", "series"),
            ("Crisis", "crises"), ("Index", "indices"), ("Crm::Contact", "crm_contacts"), ("Datum", "data"),
        ]
    )
    func `models are kept in the tables that Rails would give them`(
        _ kind: TestDatabaseKind,
        _ names: (model: String, table: String)
    ) async throws {
        let (model, table) = names
        let event = Inflection.underscored(model) + "_created"
        let link = Inflection().plural(of: Inflection.underscored(model))
        let parent = """
            {"id":1,"links":{"\(link)":[8]},"\(link)":[{"id":8,"label":"b"}]}
            """
        try await ReplicaHarness.expect(
            kind,
            [
                .event(event, model, #"{"id":7,"label":"a"}"#), .event("booking_created", "Booking", parent),
                .event(event, model, #"{"id":9,"label":"c"}"#),
            ],
            by: Mirror(),
            after: ["CREATE TABLE \(identifier: table) (synced_id bigint NOT NULL UNIQUE, label text)"],
            give: ["7 a", "8 b", "9 c"],
            in: "SELECT synced_id, label FROM \(identifier: table) ORDER BY synced_id"
        )
    }
}
