import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Messages of dionysus-rb, whose times have 3 digits and which have no version, among ours of the same records.
@Suite(.serialized) struct RubyStreamTests {
    private static let ours = "2026-01-01T10:00:00.350687Z"
    private static let theirs = "2026-01-01T10:00:00.350Z"

    private static func rental(
        _ id: Int,
        _ name: String,
        _ time: String,
        version: Int64? = nil,
        _ change: EventName.Change = .updated
    ) -> WireMessage {
        .rental(change, id, name: name, updatedAt: time, version: version)
    }

    /// The rentals with their names and times, to the microsecond.
    private static func exactTimes(in replica: ReplicaHarness) async throws -> [String] {
        let result = try await replica.database.transaction(.snapshot) {
            try $0.run("SELECT synced_updated_at FROM rentals ORDER BY synced_id")
        }
        return try result.rows.compactMap { try $0.timestamp(0)?.iso8601() }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a later change with the same time and fewer digits is applied`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", Self.ours, version: 5), Self.rental(1, "b", Self.theirs),
                Self.rental(2, "c", Self.ours), Self.rental(2, "d", Self.theirs),
                Self.rental(3, "e", Self.ours), Self.rental(3, "f", "2026-01-01T10:00:00Z"),
                Self.rental(4, "g", Self.theirs), Self.rental(4, "h", Self.ours),
                Self.rental(5, "i", Self.ours), Self.rental(5, "j", "2026-01-01 10:00:00 UTC"),
                Self.rental(6, "k", Self.ours), Self.rental(6, "l", "2026/01/01 10:00:00 +0000"),
            ],
            gives: ["1 b", "2 d", "3 f", "4 h", "5 j", "6 l"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an earlier change is left out, whatever its digits`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", Self.ours), Self.rental(1, "b", "2026-01-01T10:00:00.349Z"),
                Self.rental(2, "c", Self.theirs), Self.rental(2, "d", "2026-01-01T10:00:00.349999Z"),
                Self.rental(3, "e", Self.ours), Self.rental(3, "f", "2026-01-01T09:59:59Z"),
                Self.rental(4, "g", "1969-12-31T23:59:59.350687Z"), Self.rental(4, "h", "1969-12-31T23:59:59.349Z"),
                Self.rental(5, "i", "1969-12-31T23:59:59.350687Z"), Self.rental(5, "j", "1969-12-31T23:59:59.350Z"),
            ],
            gives: ["1 a", "2 c", "3 e", "4 g", "5 j"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `between two messages of one time, older ones are still left out`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", Self.ours), Self.rental(1, "b", Self.theirs),
                Self.rental(1, "c", "2026-01-01T10:00:00.350100Z"),
            ],
            gives: ["1 b"]
        )
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(Self.rental(1, "a", Self.ours), Self.rental(1, "b", Self.theirs))
            try await replica.consume()
            #expect(try await Self.exactTimes(in: replica) == [Self.ours])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a column with fewer digits doesn't make a later change an older one`(_ kind: TestDatabaseKind) async throws {
        for digits in [0, 3, 4] {
            let type = kind == .postgres ? "timestamptz(\(digits))" : "timestamp(\(digits))"
            try await expectReplica(
                kind,
                [
                    Self.rental(1, "a", Self.ours), Self.rental(1, "b", Self.theirs),
                    Self.rental(2, "c", "2026-01-01T10:00:00.999999Z"),
                    Self.rental(2, "d", "2026-01-01T10:00:00.999Z"),
                    Self.rental(3, "e", "2026-01-01T10:00:01.000000Z"), Self.rental(3, "f", "2026-01-01T09:59:59.400Z"),
                ],
                gives: ["1 b", "2 d", "3 e"],
                defining: [
                    "ALTER TABLE rentals DROP COLUMN synced_updated_at",
                    "ALTER TABLE rentals ADD COLUMN synced_updated_at \(raw: type)",
                ]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `after a message without a version, a version between it and the one before is no reason to go back`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", days[1], version: 5), Self.rental(1, "b", days[4]),
                Self.rental(1, "c", days[3], version: 7),
                Self.rental(2, "d", days[1], version: 5), Self.rental(2, "e", days[4]),
                Self.rental(2, "f", days[4], version: 7), Self.rental(2, "g", days[5], version: 6),
            ],
            gives: ["1 b", "2 f"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed record is not brought back by its last state with more digits, or fewer`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", Self.theirs), .rental(.destroyed, 1), Self.rental(1, "b", Self.ours),
                Self.rental(2, "c", Self.ours), .rental(.destroyed, 2), Self.rental(2, "d", Self.theirs),
                Self.rental(3, "e", Self.ours), .rental(.destroyed, 3),
                Self.rental(3, "f", "2026-01-01T10:00:00.351Z", .created),
                Self.rental(4, "g", Self.theirs), .rental(.destroyed, 4), Self.rental(4, "h", Self.ours, .created),
                Self.rental(5, "i", Self.ours), .rental(.destroyed, 5),
                Self.rental(5, "j", "2026-01-01T10:00:00.350688Z"),
            ],
            gives: ["3 f", "4 h", "5 j"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `soft deletions and restorations of one time are applied as they come`(_ kind: TestDatabaseKind) async throws {
        func canceled(_ id: Int, _ time: String) -> WireMessage {
            .rental(.destroyed, id, updatedAt: time, canceledAt: "\"\(time)\"")
        }
        try await expectReplica(
            kind,
            [
                Self.rental(1, "a", Self.ours, version: 5), canceled(1, Self.theirs),
                Self.rental(2, "b", Self.ours), canceled(2, Self.theirs),
                .rental(.created, 2, updatedAt: Self.theirs, canceledAt: "null"),
                Self.rental(3, "c", Self.theirs), canceled(3, Self.ours),
                .rental(.created, 3, updatedAt: Self.theirs, canceledAt: "null"),
            ],
            gives: ["1 a canceled", "2 b", "3 c"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a member of a booking is compared by its own digits`(_ kind: TestDatabaseKind) async throws {
        func booking(_ time: String, fee: String, _ amount: Int, version: Int64? = nil) -> WireMessage {
            .event(
                "booking_updated",
                "Booking",
                """
                {"id":1,"updated_at":"\(time)","links":{"bookings_fees":[7]},"bookings_fees":[{"id":7,"amount":"\(amount)",\
                "updated_at":"\(fee)","links":{"booking":1}}]}
                """,
                version: version
            )
        }
        try await expectReplica(
            kind,
            [
                booking(Self.ours, fee: Self.ours, 1, version: 3), booking(Self.theirs, fee: Self.theirs, 2),
                booking("2026-01-01T10:00:00.350690Z", fee: "2026-01-01T10:00:00.349999Z", 3),
            ],
            gives: ["7 2"],
            in: "SELECT synced_id, CAST(amount AS bigint) FROM bookings_fees"
        )
    }

    /// Every order in which the messages of four states can arrive from partitions that don't wait for each other.
    @Test(arguments: TestDatabaseKind.available)
    func `in whatever order messages of both kinds arrive, the latest state stays`(_ kind: TestDatabaseKind)
        async throws
    {
        let states: [(time: String, version: Int64?)] = [
            ("2026-01-01T10:00:00.350687Z", 5), ("2026-01-01T10:00:00.352Z", nil), ("2026-01-01T10:00:00.354001Z", 7),
            ("2026-01-01T10:00:00.356Z", nil),
        ]
        let orders = Array(states.indices).permutations
        #expect(orders.count == 24)
        try await ReplicaHarness.run(kind) { replica in
            for step in states.indices {
                try await replica.publish(
                    orders.enumerated()
                        .map { id, order in
                            let state = states[order[step]]
                            return Self.rental(id, "\(id)-\(order[step])", state.time, version: state.version)
                        }
                )
                try await replica.consume()
            }
            #expect(
                try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
                    == orders.indices.map { "\($0)-3" }
            )
        }
    }

    /// Two writers, one of either kind, create, change and delete records in turn, create some of them again, and publish
    /// that in the order in which it happens.
    @Test(arguments: TestDatabaseKind.available, [1, 2, 3, 4, 5, 6] as [UInt64])
    func `however both kinds are interleaved, the replica ends at the source's state`(
        _ kind: TestDatabaseKind,
        _ seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        var messages: [WireMessage] = []
        var source: [Int: (name: String, updated: Int64)] = [:]
        var clock: Int64 = 1_767_225_600_000_000
        for version in 1...1_500 {
            // Several changes in one millisecond, and some within one microsecond.
            clock += Int64.random(in: 0...900, using: &random)
            let id = Int.random(in: 1...40, using: &random)
            let isRuby = Bool.random(using: &random)
            let hasVersion = !isRuby && Int.random(in: 0..<4, using: &random) > 0
            var change = EventName.Change.updated
            if source[id] != nil, Int.random(in: 0..<6, using: &random) == 0 {
                source[id] = nil
                let version = hasVersion ? Int64(version) : nil
                messages.append(.rental(.destroyed, id, version: version))
                continue
            } else if let known = source[id] {
                // A change of a dependency or of something observed leaves the record's own time alone.
                let touches = Bool.random(using: &random)
                source[id] = ("\(id)-\(version)", touches ? clock : known.updated)
            } else {
                change = .created
                source[id] = ("\(id)-\(version)", clock)
            }
            guard let state = source[id] else { continue }
            let time = Timestamp(microseconds: state.updated).iso8601(fractionDigits: isRuby ? 3 : 6)
            messages.append(Self.rental(id, state.name, time, version: hasVersion ? Int64(version) : nil, change))
        }
        let expected = source.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.name)" }
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(messages)
            for batchSize in [2_000, 37] {
                try await replica.clear()
                var settings = ConsumerSettings.forTests
                settings.groupID = "batches of \(batchSize)"
                settings.batchSize = batchSize
                try await replica.consume(settings: settings)
                #expect(try await replica.rows(rentalNames) == expected)
            }
        }
    }
}

extension [Int] {
    fileprivate var permutations: [[Int]] {
        guard count > 1 else { return [self] }
        return indices.flatMap { index -> [[Int]] in
            var rest = self
            let first = rest.remove(at: index)
            return rest.permutations.map { [first] + $0 }
        }
    }
}
