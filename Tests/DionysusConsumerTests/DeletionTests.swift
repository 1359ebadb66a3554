import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// What destroyed events do, and what is remembered of them.
@Suite struct DeletionTests {
    private static let cancellation = #""2026-01-02T00:00:00Z""#

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed event assigns its attributes, then deletes softly by its time of cancellation`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "before", updatedAt: days[0]),
                .rental(.destroyed, 1, name: "last", updatedAt: days[1], canceledAt: Self.cancellation),
            ],
            gives: ["1 last 2026-01-02T00:00:00.000Z \(days[1])"],
            in: "SELECT synced_id, name, synced_canceled_at, synced_updated_at FROM rentals"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed event with a time of cancellation makes an unknown record a whole soft-deleted row`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = """
            {"id":3,"name":"whole","bedrooms":4,"canceled_at":\(Self.cancellation),"updated_at":"\(days[1])",\
            "links":{"account":8}}
            """
        try await expectReplica(
            kind,
            [.event("rental_destroyed", "Rental", payload, version: 6)],
            gives: ["3 whole 4 8 6 2026-01-02T00:00:00.000Z \(days[1])"],
            in: """
                SELECT synced_id, name, bedrooms, synced_account_id, synced_version, synced_canceled_at,
                  synced_updated_at
                FROM rentals WHERE synced_data IS NOT NULL
                """
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed event whose time of cancellation is null removes nothing`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[0]),
                .rental(.destroyed, 1, name: "b", updatedAt: days[1], canceledAt: "null"),
                .rental(.destroyed, 2, name: "unknown", updatedAt: days[1], canceledAt: "null"),
                .rental(.destroyed, 3, name: "canceled", updatedAt: days[0], canceledAt: Self.cancellation),
                .rental(.destroyed, 3, name: "restored", updatedAt: days[1], canceledAt: "null"),
            ],
            gives: ["1 b", "2 unknown", "3 restored"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `created and updated restore a soft-deleted record, unless they carry a time of cancellation`(
        _ kind: TestDatabaseKind
    ) async throws {
        let soft = (1...6)
            .map { id in
                WireMessage.rental(.destroyed, id, name: "\(id)", updatedAt: days[0], canceledAt: Self.cancellation)
            }
        try await expectReplica(
            kind,
            soft + [
                .rental(.created, 1, name: "a", updatedAt: days[1]),
                .rental(.updated, 2, name: "b", updatedAt: days[1]),
                .rental(.updated, 3, name: "c", updatedAt: days[1], canceledAt: "null"),
                .rental(.updated, 4, name: "d", updatedAt: days[1], canceledAt: Self.cancellation),
                .rental(.created, 5, name: "e", updatedAt: days[1], canceledAt: Self.cancellation),
                .rental(.updated, 6, name: "older", updatedAt: "2025-12-31T00:00:00Z"),
            ],
            gives: ["1 a", "2 b", "3 c", "4 d canceled", "5 e canceled", "6 6 canceled"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed event without a time of cancellation removes a soft-deleted row as well`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.destroyed, 1, name: "a", updatedAt: days[0], canceledAt: Self.cancellation),
                .rental(.destroyed, 1),
            ],
            gives: []
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replica that keeps destroyed records marks known ones, and makes no row of unknown ones`(
        _ kind: TestDatabaseKind
    ) async throws {
        var mirror = Mirror()
        mirror.replicas = [Persist("Rental", table: "rentals").softDeleting().element]
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[0]),
                .rental(.destroyed, 1, updatedAt: days[1]),
                .rental(.destroyed, 2, updatedAt: days[1]),
            ],
            gives: ["1 a canceled"],
            by: mirror
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a cancellation deletes the row where there is no column for it`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[0]),
                .rental(.destroyed, 1, name: "a", updatedAt: days[1], canceledAt: Self.cancellation),
                .rental(.destroyed, 2, name: "b", updatedAt: days[1], canceledAt: Self.cancellation),
                .rental(.updated, 1, name: "late", updatedAt: days[0]),
                .rental(.created, 3, name: "c", updatedAt: days[0]),
            ],
            gives: ["3 c"],
            in: "SELECT synced_id, name FROM rentals",
            defining: ["ALTER TABLE rentals DROP COLUMN synced_canceled_at"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an outdated destroyed event removes nothing`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[2], version: 5),
                .rental(.destroyed, 1, version: 4),
                .rental(.created, 2, name: "b", updatedAt: days[2]),
                .rental(.destroyed, 2, updatedAt: days[1]),
                .rental(.created, 3, name: "c", updatedAt: days[2], version: 5),
                .rental(.destroyed, 3, name: "d", updatedAt: days[3], canceledAt: Self.cancellation, version: 4),
            ],
            gives: ["1 a", "2 b", "3 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an old update after a destruction does not bring the record back`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[1], version: 3),
                .rental(.destroyed, 1, version: 5),
                .rental(.updated, 1, name: "late", updatedAt: days[8], version: 4),
                .rental(.created, 2, name: "b", updatedAt: days[2]),
                .rental(.destroyed, 2),
                .rental(.updated, 2, name: "late", updatedAt: days[2]),
                .rental(.created, 2, name: "late", updatedAt: days[1]),
                .rental(.destroyed, 3, updatedAt: days[3]),
                .rental(.updated, 3, name: "late", updatedAt: days[3]),
            ],
            gives: []
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record that was truly created again is there, with versions and without`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[1], version: 3),
                .rental(.destroyed, 1, version: 5),
                .rental(.created, 1, name: "higher version", updatedAt: days[0], version: 6),
                .rental(.created, 2, name: "b", updatedAt: days[1], version: 3),
                .rental(.destroyed, 2, version: 5),
                .rental(.created, 2, name: "equal version, later offset", updatedAt: days[0], version: 5),
                .rental(.created, 3, name: "c", updatedAt: days[1]),
                .rental(.destroyed, 3),
                .rental(.created, 3, name: "later time", updatedAt: days[2]),
                .rental(.created, 4, name: "d"),
                .rental(.destroyed, 4),
                .rental(.created, 4, name: "no times at all"),
            ],
            gives: [
                "1 higher version", "2 equal version, later offset", "3 later time", "4 no times at all",
            ]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the last of creations and destructions in turn decides`(_ kind: TestDatabaseKind) async throws {
        for isVersioned in [true, false] {
            func event(_ change: EventName.Change, _ id: Int, _ step: Int) -> WireMessage {
                let name = change == .destroyed ? nil : "\(id) in step \(step)"
                let time = change == .destroyed ? nil : days[step]
                return .rental(change, id, name: name, updatedAt: time, version: isVersioned ? Int64(step) : nil)
            }
            try await expectReplica(
                kind,
                [
                    event(.created, 1, 1), event(.destroyed, 1, 2), event(.created, 1, 3),
                    event(.created, 2, 1), event(.destroyed, 2, 2), event(.created, 2, 3), event(.destroyed, 2, 4),
                ],
                gives: ["1 1 in step 3"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destruction keeps older events from other partitions away, whichever comes first`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let messages: [WireMessage] = [
                .rental(.destroyed, 1, partition: 0, version: 7),
                .rental(.updated, 1, name: "older", updatedAt: days[8], partition: 1, version: 6),
                .rental(.updated, 1, name: "equal", updatedAt: days[8], partition: 2, version: 7),
                .rental(.created, 2, name: "a", updatedAt: days[1], partition: 0),
                .rental(.destroyed, 2, partition: 0),
                .rental(.updated, 2, name: "older", updatedAt: days[1], partition: 3),
                .rental(.destroyed, 3, partition: 0, version: 7),
                .rental(.updated, 3, name: "higher", partition: 1, version: 8),
                .rental(.destroyed, 3, partition: 2, version: 6),
            ]
            for message in messages {
                try await replica.publish(message)
                try await replica.consume()
            }
            #expect(try await replica.rows(rentalNames) == ["3 higher"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destruction that comes again from the log, without version and time, spares what was created since`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplayed(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[1]),
                .rental(.destroyed, 1),
                .rental(.created, 1, name: "again", updatedAt: days[2]),
                .rental(.created, 2, name: "b"),
                .rental(.destroyed, 2),
                .rental(.created, 2, name: "again, without times"),
                .rental(.created, 3, name: "c", updatedAt: days[1]),
                .rental(.destroyed, 3),
                .rental(.created, 3, name: "again", updatedAt: days[2]),
                .rental(.destroyed, 3),
            ],
            gives: ["1 again", "2 again, without times"]
        )
    }

    /// Reads a log once, then again from the start, message by message and in one batch.
    private func expectReplayed(
        _ kind: TestDatabaseKind,
        _ messages: [WireMessage],
        gives expected: [String]
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(messages)
            for group in ["first", "second", "third"] {
                var settings = ConsumerSettings.forTests
                settings.groupID = group
                settings.batchSize = group == "second" ? 1 : 100
                try await replica.consume(settings: settings)
                #expect(try await replica.rows(rentalNames) == expected, "\(group)")
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destruction that is new is no repetition, however often the record was created again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            for round in 1...3 {
                try await replica.publish(.rental(.created, 1, name: "a", updatedAt: days[round]))
                try await replica.consume()
                #expect(try await replica.rows(rentalNames) == ["1 a"])
                try await replica.publish(.rental(.destroyed, 1))
                try await replica.consume()
                #expect(try await replica.rows(rentalNames) == [])
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `sideloaded records of a destroyed parent are not removed`(_ kind: TestDatabaseKind) async throws {
        let fees = #"{"id":1,"links":{"bookings_fees":[4]},"bookings_fees":[{"id":4,"name":"fee"}]}"#
        try await expectReplica(
            kind,
            [
                .event("booking_created", "Booking", fees, version: 1),
                .event("booking_destroyed", "Booking", #"{"id":1,"links":{}}"#, version: 2),
                .event("booking_created", "Booking", fees.replacing(#""id":1"#, with: #""id":2"#), version: 1),
                .event(
                    "booking_destroyed",
                    "Booking",
                    #"{"id":2,"links":{"bookings_fees":[]},"bookings_fees":[]}"#,
                    version: 2
                ),
            ],
            gives: ["4 fee"],
            in: "SELECT synced_id, name FROM bookings_fees UNION ALL SELECT synced_id, 'booking' FROM bookings"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `removal from an association is no destruction: the member can come back`(
        _ kind: TestDatabaseKind
    ) async throws {
        func booking(_ id: Int, _ fees: String, version: Int64) -> WireMessage {
            let ids = fees.isEmpty ? "" : "4"
            let payload = #"{"id":\#(id),"links":{"bookings_fees":[\#(ids)]},"bookings_fees":[\#(fees)]}"#
            return .event("booking_updated", "Booking", payload, version: version)
        }
        func fee(of booking: Int) -> String {
            #"{"id":4,"name":"fee","updated_at":"\#(days[1])","links":{"booking":\#(booking)}}"#
        }
        try await expectReplica(
            kind,
            [
                booking(1, fee(of: 1), version: 1), booking(1, "", version: 2), booking(2, fee(of: 2), version: 2),
            ],
            gives: ["4 2"],
            in: "SELECT synced_id, synced_booking_id FROM bookings_fees"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message without a value that deletes is guarded by its version, and its id may have colons`(
        _ kind: TestDatabaseKind
    ) async throws {
        var mirror = Mirror()
        mirror.rentals = mirror.rentals.deletingOnTombstone()
        mirror.replicas = [Persist("Villa", table: "villas").element]
        func villa(_ id: String) -> WireMessage { .event("villa_created", "Villa", #"{"id":"\#(id)"}"#) }
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "newer", version: 5),
                WireMessage("v3_rentals", key: "Rental:1", value: nil, version: 4),
                .rental(.created, 2, name: "older", version: 5),
                WireMessage("v3_rentals", key: "Rental:2", value: "null", version: 6),
                villa("a:b"), villa("a"), villa("c::d"),
                WireMessage("v3_rentals", key: "Villa:a:b", value: nil),
                WireMessage("v3_rentals", key: "Villa:c::d", value: nil),
            ],
            gives: ["newer", "a"],
            in: "SELECT name FROM rentals UNION ALL SELECT synced_id FROM villas",
            by: mirror,
            defining: ["CREATE TABLE villas (synced_id text UNIQUE)"]
        )
    }
}
