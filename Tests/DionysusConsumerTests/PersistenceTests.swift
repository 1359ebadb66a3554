import Dionysus
import DionysusConsumer
import TestSupport
import Testing

private let times = (1...9).map { "2026-01-0\($0)T00:00:00.000Z" }

@Suite struct PersistenceTests {
    private let rentals: SQL = """
        SELECT synced_id, name || CASE WHEN synced_canceled_at IS NULL THEN '' ELSE ' canceled' END
        FROM rentals ORDER BY synced_id
        """

    /// Consumes messages one after the other, each in a batch of its own, and all at once; both have the same result.
    private func expect(
        _ kind: TestDatabaseKind,
        _ messages: [WireMessage],
        give expected: [String],
        in query: SQL? = nil,
        by mirror: Mirror = Mirror(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for isBatch in [true, false] {
            try await ReplicaHarness.run(kind) { replica in
                for group in isBatch ? [messages] : messages.map({ [$0] }) {
                    try await replica.publish(group)
                    try await replica.consume(mirror)
                }
                let rows = try await replica.rows(query ?? rentals)
                #expect(rows == expected, "\(isBatch ? "in one batch" : "one by one")", sourceLocation: sourceLocation)
                let failures = try await replica.rows("SELECT error_message FROM dionysus_failures")
                #expect(failures == [], sourceLocation: sourceLocation)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event with a version below the record's changes nothing`(_ kind: TestDatabaseKind) async throws {
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "new", updatedAt: times[1], version: 5),
                .rental(.created, 1, name: "old", updatedAt: times[2], version: 4),
            ],
            give: ["1 new"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `without versions an older event changes nothing, and an equal one is applied`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: times[2]),
                .rental(.created, 1, name: "b", updatedAt: times[1]),
                .rental(.created, 2, name: "c", updatedAt: times[2]),
                .rental(.created, 2, name: "d", updatedAt: times[2]),
                .rental(.created, 3, name: "e", updatedAt: times[2]),
                .rental(.created, 3, name: "f"),
            ],
            give: ["1 a", "2 d", "3 f"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a cancellation keeps the row, and a later event restores it`(_ kind: TestDatabaseKind) async throws {
        let canceledAt = #""2026-01-02T00:00:00Z""#
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: times[0]),
                .rental(.destroyed, 1, name: "a", updatedAt: times[1], canceledAt: canceledAt),
                .rental(.created, 2, name: "b", updatedAt: times[0]),
                .rental(.destroyed, 2, name: "b", updatedAt: times[1], canceledAt: canceledAt),
                .rental(.created, 2, name: "b", updatedAt: times[2]),
                .rental(.destroyed, 3, name: "unknown", updatedAt: times[1], canceledAt: canceledAt),
                .rental(.created, 4, name: "d", updatedAt: times[0]),
                .rental(.destroyed, 4, name: "lives", updatedAt: times[1], canceledAt: "null"),
            ],
            give: ["1 a canceled", "2 b", "3 unknown canceled", "4 lives"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destruction deletes the row, and leaves none of an unknown record`(_ kind: TestDatabaseKind) async throws {
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: times[0]),
                .rental(.destroyed, 1),
                .rental(.destroyed, 2),
            ],
            give: []
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an older event does not bring a destroyed record back`(_ kind: TestDatabaseKind) async throws {
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: times[1]),
                .rental(.destroyed, 1),
                .rental(.updated, 1, name: "late", updatedAt: times[1]),
                .rental(.destroyed, 2, version: 7),
                .rental(.updated, 2, name: "late", updatedAt: times[5], version: 6),
                .rental(.created, 3, name: "c", updatedAt: times[1], version: 3),
                .rental(.destroyed, 3, version: 7),
                .rental(.updated, 3, name: "late", updatedAt: times[5], version: 5),
            ],
            give: []
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a later event creates a destroyed record again`(_ kind: TestDatabaseKind) async throws {
        try await expect(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: times[1]),
                .rental(.destroyed, 1),
                .rental(.created, 1, name: "again", updatedAt: times[2]),
                .rental(.destroyed, 2, version: 7),
                .rental(.updated, 2, name: "equal version", version: 7),
            ],
            give: ["1 again", "2 equal version"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `in another partition only a higher version creates a destroyed record again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.destroyed, 1, version: 7), .rental(.destroyed, 2, version: 7))
            try await replica.consume()
            try await replica.publish(
                .rental(.updated, 1, name: "equal", partition: 1, version: 7),
                .rental(.updated, 2, name: "higher", partition: 1, version: 8)
            )
            try await replica.consume()
            #expect(try await replica.rows("SELECT synced_id, name FROM rentals") == ["2 higher"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members that a payload no longer lists are removed`(_ kind: TestDatabaseKind) async throws {
        func booking(_ id: Int, _ fees: [Int], version: Int64) -> WireMessage {
            let records = fees.map {
                #"{"id":\#($0),"name":"fee \#($0)","amount":"\#($0).50","links":{"booking":\#(id)}}"#
            }
            let payload = """
                {"id":\(id),"links":{"rental":9,"bookings_fees":[\(fees.map(String.init).joined(separator: ","))]},\
                "bookings_fees":[\(records.joined(separator: ","))]}
                """
            return .event("booking_updated", "Booking", payload, version: version)
        }
        try await expect(
            kind,
            [
                booking(1, [1, 2, 3], version: 1), booking(2, [4], version: 2), booking(1, [2], version: 3),
                booking(2, [4, 3], version: 4), booking(2, [], version: 3),
            ],
            give: ["2 1", "3 2", "4 2"],
            in: "SELECT synced_id, synced_booking_id FROM bookings_fees ORDER BY synced_id"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event tells what it changed, also in the records that came along`(_ kind: TestDatabaseKind) async throws {
        let payload =
            #"{"id":1,"final_price":"9.50","links":{"bookings_fees":[5]},"bookings_fees":[{"id":5,"name":"x"}]}"#
        let (events, continuation) = AsyncStream.makeStream(of: ConsumedEvent.self)
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.onConsume = { continuation.yield($0) }
            try await replica.publish(
                .event("booking_created", "Booking", payload, version: 1),
                .event("booking_updated", "Booking", payload.replacing("9.50", with: "10.00"), version: 2)
            )
            mirror.bookings = mirror.bookings.batchTransformation(nil)
            try await replica.consume(mirror)
        }
        continuation.finish()
        let consumed = await events.reduce(into: []) { $0.append($1) }
        let first = try #require(consumed.first)
        let last = try #require(consumed.last)
        let booking = LocalRecord(model: "Booking", id: .integer(1))
        #expect(consumed.map(\.name.description) == ["booking_created", "booking_updated"])
        #expect(first.data["synced_bookings_fee_ids"] == .array([.integer(5)]))
        #expect(first.localChanges[LocalRecord(model: "BookingsFee", id: .integer(5))]?["name"]?.new == .text("x"))
        #expect(first.localChanges[booking]?["synced_id"]?.old == .null)
        let change = try #require(last.localChanges[booking]?["final_price"])
        #expect(change.old == .decimal(ExactDecimal(unscaled: 950, scale: 2)))
        #expect(change.new == .decimal(10))
        #expect(last.localChanges[booking]?["start_at"] == nil)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `attributes without a column are kept with the whole payload, and can't reach the replica's own columns`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = """
            {"id":1,"name":"a","color":"red","synced_version":99,"synced_id":7,"rooms":[1,{"x":null}],\
            "links":{"account":5,"owner":{"id":6,"type":"User"}}}
            """
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.event("rental_created", "Rental", payload, version: 3))
            try await replica.consume()
            let rows = try await replica.rows("SELECT synced_id, synced_version, synced_account_id FROM rentals")
            #expect(rows == ["1 3 5"])
            let stored = try #require(try await replica.rows("SELECT synced_data FROM rentals").first)
            let data = try JSON(parsing: Array(stored.utf8))
            #expect(data["color"] == .string("red"))
            #expect(data["rooms"]?.text == #"[1,{"x":null}]"#)
            #expect(data["synced_owner_type"] == .string("User"))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `models without a replica are skipped, and so are events with other names`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expect(
            kind,
            [
                .event("spaceship_created", "Spaceship", #"{"id":1}"#),
                .event("rental_exploded", "Rental", #"{"id":1}"#),
                .rental(.created, 2, name: "b"),
            ],
            give: ["2 b"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `attributes can be stored in columns of other names`(_ kind: TestDatabaseKind) async throws {
        var mirror = Mirror()
        mirror.replicas = [Persist("Rental", table: "rentals").renaming("title", to: "name").element]
        try await expect(
            kind,
            [.event("rental_created", "Rental", #"{"id":1,"title":"t"}"#)],
            give: ["1 t"],
            by: mirror
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a join table holds what a payload lists`(_ kind: TestDatabaseKind) async throws {
        func booking(_ tags: String) -> WireMessage {
            .event("booking_updated", "Booking", #"{"id":1,"links":{"tags":[\#(tags)]},"tags":[]}"#)
        }
        var mirror = Mirror()
        mirror.replicas = [
            Persist("Booking", table: "bookings")
                .linking("tags", through: "bookings_tags", parent: "booking", member: "tag").element
        ]
        try await ReplicaHarness.run(kind) { replica in
            try await replica.database.transaction(.write) {
                _ = try $0.run("CREATE TABLE bookings_tags (booking bigint NOT NULL, tag bigint NOT NULL)")
            }
            for tags in ["1,2,3", "3,4,4", ""] {
                try await replica.publish(booking(tags))
                try await replica.consume(mirror)
                let rows = try await replica.rows("SELECT tag FROM bookings_tags WHERE booking = 1 ORDER BY tag")
                #expect(rows == Set(tags.split(separator: ",").map(String.init)).sorted())
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message without a value changes nothing, unless the topic says that it deletes`(
        _ kind: TestDatabaseKind
    ) async throws {
        let messages = [
            WireMessage.rental(.created, 1, name: "a"),
            WireMessage("v3_rentals", key: "Rental:1", value: nil),
            WireMessage("v3_rentals", key: "Rental:1", value: "null"),
        ]
        try await expect(kind, messages, give: ["1 a"])
        var mirror = Mirror()
        mirror.rentals = mirror.rentals.deletingOnTombstone()
        try await expect(kind, messages, give: [], by: mirror)
    }
}
