import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Whether an event has a say about a record that is known.
@Suite struct GuardTests {
    @Test(arguments: TestDatabaseKind.available)
    func `of events with an equal version the later offset wins`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[3], version: 5),
                .rental(.updated, 1, name: "b", updatedAt: days[2], version: 5),
                .rental(.updated, 1, name: "c", updatedAt: days[1], version: 5),
            ],
            gives: ["1 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `of events with an equal time the later offset wins`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[1]),
                .rental(.updated, 1, name: "b", updatedAt: days[1]),
                .rental(.updated, 1, name: "c", updatedAt: days[1]),
            ],
            gives: ["1 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `where both have a version, time has no say`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[5], version: 5),
                .rental(.updated, 1, name: "b", updatedAt: days[1], version: 6),
                .rental(.created, 2, name: "c", updatedAt: days[1], version: 6),
                .rental(.updated, 2, name: "d", updatedAt: days[5], version: 5),
            ],
            gives: ["1 b", "2 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `where one has no version, time decides`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[1], version: 5),
                .rental(.updated, 1, name: "b", updatedAt: days[2]),
                .rental(.created, 2, name: "c", updatedAt: days[2], version: 5),
                .rental(.created, 2, name: "d", updatedAt: days[1]),
                .rental(.created, 3, name: "e", updatedAt: days[2]),
                .rental(.created, 3, name: "f", updatedAt: days[1], version: 5),
            ],
            gives: ["1 b", "2 c", "3 e"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replica without a column for versions is guarded by time`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[2], version: 5),
                .rental(.created, 1, name: "b", updatedAt: days[1], version: 6),
                .rental(.created, 1, name: "c", updatedAt: days[2], version: 4),
            ],
            gives: ["1 c"],
            defining: ["ALTER TABLE rentals DROP COLUMN synced_version"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the time of creation stands in for a missing time of update`(_ kind: TestDatabaseKind) async throws {
        func rental(_ id: Int, _ name: String, _ times: String) -> WireMessage {
            .event("rental_created", "Rental", #"{"id":\#(id),"name":"\#(name)",\#(times)}"#)
        }
        try await expectReplica(
            kind,
            [
                rental(1, "a", #""created_at":"\#(days[2])""#),
                rental(1, "b", #""created_at":"\#(days[1])""#),
                rental(2, "c", #""created_at":"\#(days[1])""#),
                rental(2, "d", #""created_at":"\#(days[1])","updated_at":null"#),
                rental(3, "e", #""created_at":"\#(days[1])","updated_at":"\#(days[3])""#),
                rental(3, "f", #""created_at":"\#(days[2])""#),
            ],
            gives: ["1 a", "2 d", "3 e"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a missing time on either side is applied`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[2]),
                .rental(.updated, 1, name: "b"),
                .rental(.created, 2, name: "c"),
                .rental(.updated, 2, name: "d", updatedAt: days[1]),
            ],
            gives: ["1 b", "2 d"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a time that was set to null guards no more, in the same batch as in the next`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: days[5]),
                .event("rental_updated", "Rental", #"{"id":1,"name":"b","updated_at":null,"links":{}}"#),
                .rental(.created, 1, name: "c", updatedAt: days[1]),
            ],
            gives: ["1 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a microsecond makes the difference`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: "2026-01-01T00:00:00.000002Z"),
                .rental(.created, 1, name: "b", updatedAt: "2026-01-01T00:00:00.000001Z"),
                .rental(.created, 2, name: "c", updatedAt: "2026-01-01T01:00:00.000001+01:00"),
                .rental(.created, 2, name: "d", updatedAt: "2025-12-31 22:30:00.000002-0130"),
            ],
            gives: ["1 a", "2 d"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event of an equal time is applied also where the column keeps fewer digits`(
        _ kind: TestDatabaseKind
    ) async throws {
        // The database rounds up.
        let time = "2026-01-01T00:00:00.000600Z"
        let type = kind == .postgres ? "timestamptz(3)" : "timestamp(3)"
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "a", updatedAt: time),
                .rental(.created, 1, name: "b", updatedAt: time),
            ],
            gives: ["1 b"],
            defining: [
                "ALTER TABLE rentals DROP COLUMN synced_updated_at",
                "ALTER TABLE rentals ADD COLUMN synced_updated_at \(raw: type)",
            ]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when a writer's clock was ahead for an hour, with versions the last change wins`(
        _ kind: TestDatabaseKind
    ) async throws {
        let (ahead, right) = ("2026-01-01T13:00:00Z", "2026-01-01T12:00:01Z")
        try await expectReplica(
            kind,
            [
                .rental(.created, 1, name: "before", updatedAt: "2026-01-01T12:00:00Z", version: 1),
                .rental(.updated, 1, name: "clock ahead", updatedAt: ahead, version: 2),
                .rental(.updated, 1, name: "clock right", updatedAt: right, version: 3),
                .rental(.created, 2, name: "to be destroyed", updatedAt: ahead, version: 1),
                .rental(.destroyed, 2, updatedAt: right, version: 2),
                .rental(.created, 3, name: "to be made anew", updatedAt: ahead, version: 1),
                .rental(.destroyed, 3, updatedAt: ahead, version: 2),
                .rental(.created, 3, name: "anew", updatedAt: right, version: 3),
            ],
            gives: ["1 clock right", "3 anew"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a skipped parent skips its sideloads and its resolvers`(_ kind: TestDatabaseKind) async throws {
        func booking(_ fees: [Int], version: Int64) -> WireMessage {
            let records = fees.map { #"{"id":\#($0),"name":"fee \#($0)","links":{"booking":1}}"# }
            let payload = """
                {"id":1,"links":{"bookings_fees":[\(fees.map(String.init).joined(separator: ","))]},\
                "bookings_fees":[\(records.joined(separator: ","))]}
                """
            return .event("booking_created", "Booking", payload, version: version)
        }
        try await expectReplica(
            kind,
            [booking([1], version: 5), booking([2], version: 4), booking([], version: 3)],
            gives: ["1 fee 1"],
            in: "SELECT synced_id, name FROM bookings_fees"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a sideloaded record is guarded by its own version and time`(_ kind: TestDatabaseKind) async throws {
        func booking(_ id: Int, fee: String, updatedAt: String, version: Int64? = nil) -> WireMessage {
            let payload = """
                {"id":\(id),"links":{"bookings_fees":[7]},"bookings_fees":[{"id":7,"name":"\(fee)",\
                "updated_at":"\(updatedAt)","links":{"booking":\(id)}}]}
                """
            return .event("booking_created", "Booking", payload, version: version)
        }
        let query: SQL = "SELECT name, synced_booking_id FROM bookings_fees"
        try await expectReplica(
            kind,
            [
                booking(2, fee: "moved", updatedAt: days[2]), booking(1, fee: "before", updatedAt: days[1]),
            ],
            gives: ["moved 2"],
            in: query
        )
        try await expectReplica(
            kind,
            [
                booking(2, fee: "moved", updatedAt: days[1], version: 2),
                booking(1, fee: "before", updatedAt: days[2], version: 1),
            ],
            gives: ["moved 2"],
            in: query
        )
    }
}
