import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite struct AssociationTests {
    private func booking(_ fees: [Int], of id: Int = 1, version: Int64) -> WireMessage {
        let ids = fees.map(String.init).joined(separator: ",")
        let records = fees.map { #"{"id":\#($0),"links":{"booking":\#(id)}}"# }.joined(separator: ",")
        return .event(
            "booking_updated",
            "Booking",
            #"{"id":\#(id),"links":{"bookings_fees":[\#(ids)]},"bookings_fees":[\#(records)]}"#,
            version: version
        )
    }

    /// A table of what resolvers were given.
    private let log: SQL = "CREATE TABLE resolved (parent bigint UNIQUE, members text, stored bigint)"

    /// Writes down which members there are, and how many of them have a row.
    private static let resolver: AssociationResolver = { resolution, transaction in
        let members = resolution.memberIDs.map(\.text).joined(separator: ",")
        let parent = resolution.parent.id
        let ids = transaction.dialect.isAny("synced_id", of: resolution.memberIDs, type: .integer)
        let count = try transaction.run("SELECT count(*) FROM bookings_fees WHERE \(ids)").rows.first?.integer(0) ?? 0
        try transaction.run([
            "DELETE FROM resolved WHERE parent = \(parent)",
            """
            INSERT INTO resolved (parent, members, stored)
            VALUES (\(parent), \("\(resolution.memberModel) \(resolution.isToMany) \(members)"), \(count))
            """,
        ])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a resolver is asked after the record and its members are saved, but not for an outdated parent`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.expect(
            kind,
            [
                booking([1, 2], version: 2), booking([3], version: 1), booking([5], of: 2, version: 3),
                booking([5, 6], of: 2, version: 4), booking([], of: 2, version: 5), booking([7], of: 3, version: 6),
                .event("booking_updated", "Booking", #"{"id":4,"links":{"bookings_fees":[8]}}"#),
            ],
            by: Declared(
                [ConsumerTopic("bookings").batchTransformation(nil)],
                replicas: [
                    Persist("Booking", table: "bookings").resolving("bookings_fees", Self.resolver).element
                ]
            ),
            after: [log],
            give: ["1 BookingsFee true 1,2 2", "2 BookingsFee true  0", "3 BookingsFee true 7 1"],
            in: "SELECT parent, members, stored FROM resolved ORDER BY parent"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a resolver is asked beside another policy, and after it`(_ kind: TestDatabaseKind) async throws {
        let counting = Persist("Booking", table: "bookings").replacing("bookings_fees")
            .resolving("bookings_fees") { resolution, transaction in
                let count = try transaction.run("SELECT count(*) FROM bookings_fees").rows.first?.integer(0) ?? 0
                let parent = resolution.parent.id
                try transaction.run([
                    "DELETE FROM resolved WHERE parent = \(parent)",
                    "INSERT INTO resolved (parent, stored) VALUES (\(parent), \(count))",
                ])
            }
        try await ReplicaHarness.expect(
            kind,
            [booking([1, 2], version: 1), booking([2], version: 2)],
            by: Declared([ConsumerTopic("bookings")], replicas: [counting.element]),
            after: [log],
            give: ["1 1"],
            in: "SELECT parent, stored FROM resolved"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a resolver throws is a failure of the parent's message alone`(_ kind: TestDatabaseKind) async throws {
        let picky = Persist("Booking", table: "bookings")
            .resolving("bookings_fees") { resolution, _ in
                if resolution.memberIDs.contains(.integer(2)) { throw Refusal() }
            }
        try await ReplicaHarness.expect(
            kind,
            [booking([1], of: 1, version: 1), booking([2], of: 2, version: 2), booking([3], of: 3, version: 3)],
            by: Declared([ConsumerTopic("bookings")], replicas: [picky.element]),
            give: ["1", "3"],
            in: "SELECT synced_id FROM bookings_fees ORDER BY synced_id",
            failures: ["1"]
        )
    }

    private func withFee(_ fee: String, version: Int64) -> WireMessage {
        .event(
            "booking_updated",
            "Booking",
            """
            {"id":1,"links":{"bookings_fee":\(fee)},\
            "bookings_fee":\(fee == "null" ? "null" : #"{"id":\#(fee),"links":{"booking":1}}"#)}
            """,
            version: version
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the one member of a relationship is resolved by its id, or as none`(_ kind: TestDatabaseKind) async throws {
        for (fee, expected) in [("4", "BookingsFee false 4"), ("null", "BookingsFee false ")] {
            try await ReplicaHarness.expect(
                kind,
                [withFee("3", version: 1), withFee(fee, version: 2)],
                by: Declared(
                    [ConsumerTopic("bookings")],
                    replicas: [
                        Persist("Booking", table: "bookings").resolving("bookings_fee", Self.resolver).element
                    ]
                ),
                after: [log],
                give: ["1 \(expected)"],
                in: "SELECT parent, members FROM resolved"
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the one member of a relationship takes the place of the one before`(_ kind: TestDatabaseKind) async throws {
        for (fee, rows) in [("4", ["4 1"]), ("null", [])] {
            try await ReplicaHarness.expect(
                kind,
                [withFee("3", version: 1), withFee(fee, version: 2)],
                by: Declared(
                    [ConsumerTopic("bookings")],
                    replicas: [Persist("Booking", table: "bookings").replacing("bookings_fee").element]
                ),
                give: rows,
                in: "SELECT synced_id, synced_booking_id FROM bookings_fees"
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members that a payload no longer lists are left alone without a policy`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.expect(
            kind,
            [booking([1, 2], version: 1), booking([2], version: 2)],
            by: Declared([ConsumerTopic("bookings").batchTransformation(nil)]),
            give: ["1 1", "2 1"],
            in: "SELECT synced_id, synced_booking_id FROM bookings_fees ORDER BY synced_id"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `relationships of records that come along are resolved too`(_ kind: TestDatabaseKind) async throws {
        func rental(_ fees: [Int], version: Int64) -> WireMessage {
            let ids = fees.map(String.init).joined(separator: ",")
            let records = fees.map { #"{"id":\#($0),"links":{"booking":1}}"# }.joined(separator: ",")
            return .event(
                "rental_updated",
                "Rental",
                """
                {"id":9,"links":{"bookings":[1]},"bookings":[{"id":1,"links":{"bookings_fees":[\(ids)]},\
                "bookings_fees":[\(records)]}]}
                """,
                version: version
            )
        }
        try await ReplicaHarness.expect(
            kind,
            [rental([1, 2], version: 1), rental([2, 3], version: 2), rental([4], version: 1)],
            by: Declared(
                [ConsumerTopic("rentals").batchTransformation(nil)],
                replicas: [
                    Persist("Booking", table: "bookings").replacing("bookings_fees")
                        .resolving("bookings_fees", Self.resolver).element
                ]
            ),
            after: [log],
            give: ["BookingsFee true 2,3 2 2 2"],
            in: """
                SELECT members, stored, (SELECT count(*) FROM bookings_fees), (SELECT min(synced_id) FROM bookings_fees)
                FROM resolved
                """
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members of a model that is not kept are resolved by the ids on the wire`(_ kind: TestDatabaseKind)
        async throws
    {
        let tags = Persist("Booking", table: "bookings")
            .resolving("tags") { resolution, transaction in
                for id in resolution.memberIDs {
                    try transaction.run(
                        "INSERT INTO tags_seen (tag) VALUES (\("\(resolution.memberModel) \(id.text)"))"
                    )
                }
            }
        try await ReplicaHarness.expect(
            kind,
            [.event("booking_updated", "Booking", #"{"id":1,"links":{"tags":[7,"x"]},"tags":[{"id":7},{"id":"x"}]}"#)],
            by: Declared([ConsumerTopic("bookings")], replicas: [tags.element]),
            after: ["CREATE TABLE tags_seen (tag text)"],
            give: ["Tag 7", "Tag x"],
            in: "SELECT tag FROM tags_seen ORDER BY tag"
        )
    }
}
