import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Messages that claim to come from a time that hasn't come yet.
@Suite struct ClockSkewTests {
    private static let names: SQL = "SELECT synced_id, name FROM rentals ORDER BY synced_id"
    private static var now: Int64 { Timestamp.now.microseconds }

    private static func message(_ change: EventName.Change, version: String, _ payload: String) -> OutgoingMessage {
        var message = WireMessage.event("rental_\(change)", "Rental", payload).outgoing
        message.headers = [MessageHeader(HeaderName.version, Array(version.utf8))]
        return message
    }

    private static func iso(_ microseconds: Int64) -> String {
        Timestamp(microseconds: microseconds).iso8601(fractionDigits: 6)
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            "9223372036854775807", "9223372036854775808", "99999999999999999999", "-1", "-9223372036854775808", "",
            " 5",
            "1e6", "0x10", "\u{0}", "4102444800000000",
        ]
    )
    func `no version can make a record deaf, whatever the event`(
        _ kind: TestDatabaseKind,
        _ version: String
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "one", version: 1))
            let account = #""links":{"account":7},"account":{"id":7,"name":"false"}"#
            try await replica.publish(raw: [
                Self.message(.updated, version: version, #"{"id":1,"name":"false",\#(account)}"#),
                Self.message(.created, version: version, #"{"id":2,"name":"false"}"#),
                Self.message(.destroyed, version: version, #"{"id":1}"#),
                Self.message(.destroyed, version: version, #"{"id":3}"#),
                Self.message(.destroyed, version: version, #"{"id":4,"canceled_at":"2026-01-01T00:00:00Z"}"#),
            ])
            try await replica.publish(
                (1...4).map { .rental(.created, $0, name: "true \($0)", version: Self.now) } + [
                    .event("account_created", "Account", #"{"id":7,"name":"true"}"#, version: Self.now)
                ]
            )
            var mirror = Mirror()
            mirror.rentals = ConsumerTopic("rentals", accepting: .any)
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == (1...4).map { "\($0) true \($0)" })
            #expect(try await replica.rows("SELECT name FROM accounts") == ["true"])
            #expect(try await replica.failedOffsets == ["1", "2", "3", "4", "5"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, [true, false])
    func `no time can make a record deaf, nor hide another message of its batch`(
        _ kind: TestDatabaseKind,
        _ isBatch: Bool
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let year9999 = "9999-12-31T23:59:59Z"
            let created = #"{"id":3,"name":"false","created_at":"\#(year9999)","updated_at":null}"#
            let sideload =
                #"{"id":5,"links":{"account":7},"account":{"id":7,"name":"false","updated_at":"\#(year9999)"}}"#
            try await replica.publish(
                .rental(.updated, 1, name: "false", updatedAt: year9999),
                .rental(.updated, 1, name: "true", updatedAt: days[1]),
                .rental(.destroyed, 2, updatedAt: year9999),
                .rental(.created, 2, name: "true 2", updatedAt: days[1]),
                .event("rental_created", "Rental", created),
                .rental(.updated, 3, name: "true 3", updatedAt: days[1]),
                .event("rental_created", "Rental", sideload),
                .event("account_created", "Account", #"{"id":7,"name":"true","updated_at":"\#(days[1])"}"#)
            )
            var settings = ConsumerSettings.forTests
            settings.batchSize = isBatch ? 100 : 1
            var mirror = Mirror()
            mirror.rentals = ConsumerTopic("rentals", accepting: .any)
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.rows(Self.names) == ["1 true", "2 true 2", "3 true 3"])
            #expect(try await replica.rows("SELECT name FROM accounts") == ["true"])
            #expect(try await replica.failedOffsets == ["0", "2", "4", "6"])
            let kinds = try await replica.recorded().map { $0.split(separator: " ").last }
            #expect(kinds == Array(repeating: "ahead_of_clock", count: 4))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `clocks that differ a little, and sources that keep local times, are no failure`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let hour: Int64 = 3_600_000_000
            try await replica.publish(
                .rental(.created, 1, name: "a", version: Self.now + hour / 2),
                .rental(.created, 2, name: "b", updatedAt: Self.iso(Self.now + 14 * hour), version: 0),
                .rental(.created, 3, name: "c", updatedAt: Self.iso(Self.now + 13 * hour))
            )
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == ["1 a", "2 b", "3 c"])
            try await replica.publish(.rental(.created, 4, name: "d", version: Self.now + 2 * hour))
            try await replica.consume()
            #expect(try await replica.failedOffsets == ["3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a failure that is retried, and an event that is handled, are held against the same clock`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "a", version: .max))
            let topic = ConsumerTopic("rentals").eventLog().handling(Journal.handler)
            let listener = Listener(topics: [topic])
            try await replica.consume(listener)
            #expect(try await replica.journal == [])
            let id = try #require(try await replica.failures(listener).list().first?.id)
            #expect(try await replica.failures(listener).retry([id]).map(\.outcome) == [.failed])

            var settings = ConsumerSettings.forTests
            settings.maxClockSkew = nil
            #expect(try await replica.failures(listener, settings: settings).retry([id]).map(\.outcome) == [.applied])
            #expect(try await replica.journal == ["rental_created 1"])
            let logged = try #require(try await replica.rows("SELECT id FROM dionysus_events").first)
            let events = try await ConsumerEvents(listener, database: replica.database, settings: .forTests)
            let outcomes = try await events.retry([Int64(logged) ?? 0])
            guard case .failed(let error)? = outcomes.first?.outcome else {
                Issue.record("\(outcomes)")
                return
            }
            #expect(error.code == .aheadOfClock)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a dead letter is held against the clock when it is replayed`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "a", version: .max))
            let mirror = Mirror.rentals { $0.deadLetterQueue("dead", maxRetries: 0) }
            try await replica.consume(mirror)
            let replay = try await replica.failures(mirror).replayDeadLetters(of: "dead")
            #expect(replay.applied == 0 && replay.recorded == 1)
            #expect(try await replica.rows(Self.names) == [])
        }
    }

    @Test func `a skew that is no time is a fault`() {
        var settings = ConsumerSettings()
        settings.maxClockSkew = .zero
        #expect(settings.faults == ["maxClockSkew must be longer than zero"])
        settings.maxClockSkew = .seconds(Int64.max)
        #expect(settings.faults == [])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record whose version is forgotten is healed by an honest genesis`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            // What an earlier version of Dionysus let in.
            var settings = ConsumerSettings.forTests
            settings.maxClockSkew = nil
            let year9999 = "9999-12-31T23:59:59Z"
            let fee = #"{"id":3,"name":"false","updated_at":"\#(year9999)","links":{"booking":9}}"#
            let booking = """
                {"id":9,"created_at":"\(year9999)","final_price":"0.00","links":{"bookings_fees":[3]},\
                "bookings_fees":[\(fee)]}
                """
            try await replica.publish(
                .event("booking_created", "Booking", booking, version: .max),
                .rental(.destroyed, 1, version: .max),
                .rental(.created, 2, name: "false", updatedAt: year9999)
            )
            try await replica.consume(settings: settings)
            let honest: [WireMessage] = [
                .event(
                    "booking_updated",
                    "Booking",
                    """
                    {"id":9,"updated_at":"\(days[1])","final_price":"5.00","links":{"bookings_fees":[3]},\
                    "bookings_fees":[{"id":3,"name":"true","updated_at":"\(days[1])","links":{"booking":9}}]}
                    """,
                    version: Self.now
                ),
                .rental(.created, 1, name: "true", updatedAt: days[1], version: Self.now),
                .rental(.updated, 2, name: "also true", updatedAt: days[1]),
            ]
            try await replica.publish(honest)
            try await replica.consume()
            let state: SQL = """
                SELECT (SELECT final_price FROM bookings), (SELECT name FROM bookings_fees),
                  (SELECT count(*) FROM rentals WHERE name LIKE '%true')
                """
            #expect(try await replica.rows(state) == ["0 false 0"])

            let records = ReplicaRecords(Mirror(), database: replica.database, settings: .forTests)
            let forgotten = try await records.forgetVersion(of: "Booking", id: "9")
            #expect(forgotten.records == 1 && forgotten.members == 1 && forgotten.destructions == 0)
            let destroyed = try await records.forgetVersion(of: "Rental", id: "1")
            #expect(destroyed.records == 0 && destroyed.destructions == 1)
            try await records.forgetVersion(of: "Rental", id: "2")
            try await replica.publish(honest)
            try await replica.consume()
            #expect(try await replica.rows(state) == ["5 true 2"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `forgetting says what it can't find`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let records = ReplicaRecords(Mirror(), database: replica.database, settings: .forTests)
            for (model, id, code) in [
                ("Rental", "1", DionysusError.Code.notFound), ("Castle", "1", .notFound), ("Rental", "x", .malformed),
                ("Rental", "", .malformed), ("Rental", "9223372036854775808", .malformed), ("", "1", .notFound),
                ("rentals; DROP", "1", .notFound),
            ] {
                let error = await #expect(throws: DionysusError.self) {
                    try await records.forgetVersion(of: model, id: id)
                }
                #expect(error?.code == code, "\(model) \(id)")
            }
        }
    }
}
