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
    func `a destroyed record takes the members along that the replica replaces, and no others`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                booking([1, 2], of: 1, version: 2),
                booking([3], of: 2, version: 3),
                booking([4, 5], of: 3, version: 4),
                // A member that has moved to another parent since, and one that is more recent than the destruction.
                booking([2, 6], of: 4, version: 5)
            )
            try await replica.consume()
            func fees() async throws -> [String] {
                try await replica.rows("SELECT synced_id FROM bookings_fees ORDER BY synced_id")
            }
            #expect(try await fees() == ["1", "2", "3", "4", "5", "6"])
            let gone = #"{"id":1,"links":{}}"#
            try await replica.publish(.event("booking_destroyed", "Booking", gone, version: 6))
            try await replica.consume()
            #expect(try await fees() == ["2", "3", "4", "5", "6"])
            // One that is older than what is known removes nothing.
            let late = #"{"id":2,"links":{}}"#
            try await replica.publish(.event("booking_destroyed", "Booking", late, version: 1))
            // A soft-deleted booking keeps its fees.
            let canceled = #"{"id":3,"canceled_at":"2026-01-01T00:00:00Z","links":{}}"#
            try await replica.publish(.event("booking_destroyed", "Booking", canceled, version: 7))
            // One whose row has never been here has left them behind all the same.
            try await replica.define("UPDATE bookings_fees SET synced_booking_id = 9 WHERE synced_id = 6")
            try await replica.publish(.event("booking_destroyed", "Booking", #"{"id":9,"links":{}}"#, version: 8))
            try await replica.consume()
            #expect(try await fees() == ["2", "3", "4", "5"])
            #expect(try await replica.failures == [])
            // Created again, it has what it lists.
            try await replica.publish(booking([1, 7], of: 1, version: 9))
            try await replica.consume()
            #expect(try await fees() == ["1", "2", "3", "4", "5", "7"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members of a destroyed record stay where nothing is said of them, and join tables are emptied`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let type = replica.database.dialect.columnType(.bigint)
            try await replica.define(
                "CREATE TABLE bookings_links (booking_id \(raw: type), fee_id \(raw: type), UNIQUE (booking_id, fee_id))"
            )
            let linked = Persist("Booking", table: "bookings")
                .linking("bookings_fees", through: "bookings_links", parent: "booking_id", member: "fee_id")
            let mirror = Mirror(replicas: [linked.element])
            try await replica.publish(booking([1, 2], of: 1, version: 2), booking([2], of: 2, version: 3))
            try await replica.consume(mirror)
            try await replica.publish(.event("booking_destroyed", "Booking", #"{"id":1,"links":{}}"#, version: 4))
            try await replica.consume(mirror)
            #expect(try await replica.rows("SELECT synced_id FROM bookings_fees ORDER BY synced_id") == ["1", "2"])
            #expect(try await replica.rows("SELECT booking_id, fee_id FROM bookings_links") == ["2 2"])
        }
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
