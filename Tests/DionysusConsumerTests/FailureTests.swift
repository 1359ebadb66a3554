import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite struct FailureTests {
    private static let names: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    /// Two good messages with bad ones between them.
    private static func messages(_ bad: [WireMessage]) -> [WireMessage] {
        [.rental(.created, 1, name: "first")] + bad + [.rental(.created, 2, name: "last")]
    }

    static let malformed: [WireMessage] = [
        WireMessage("v3_rentals", value: ""),
        WireMessage("v3_rentals", value: "not JSON"),
        WireMessage("v3_rentals", value: "[]"),
        WireMessage("v3_rentals", value: #"{"message":{}}"#),
        WireMessage("v3_rentals", value: #"{"message":[{"event":"rental_created"}]}"#),
        WireMessage("v3_rentals", value: #"{"message":[{"event":"rental_created","model_name":"Rental","data":[7]}]}"#),
        .event("rental_created", "Rental", #"{"name":"no id"}"#),
        .event("rental_created", "Rental", #"{"id":null}"#),
        .event("rental_created", "Rental", #"{"id":[1]}"#),
        .event("rental_created", "Rental", #"{"id":3,"links":"none"}"#),
        .event("rental_created", "Rental", #"{"id":3,"updated_at":"yesterday"}"#),
        .event("rental_created", "Rental", #"{"id":3,"account":"Bob","links":{"account":1}}"#),
        .event("rental_created", "Rental", #"{"id":3,"price":"a lot"}"#),
        .event("rental_created", "Rental", #"{"id":3,"bedrooms":1.5}"#),
        .event("rental_created", "Rental", String(repeating: "[", count: 100_000)),
    ]

    @Test(arguments: TestDatabaseKind.available)
    func `what is not the wire format is recorded, and the rest goes on`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var notUTF8 = WireMessage("v3_rentals", key: "Rental:3", value: nil)
            notUTF8.value = [0x7b, 0xff, 0x00, 0xfe]
            let bad = Self.malformed + [notUTF8]
            try await replica.publish(Self.messages(bad))
            try await replica.consume()
            #expect(try await replica.rows(Self.names) == ["1", "2"])
            let offsets = try await replica.rows("SELECT \"offset\" FROM dionysus_failures ORDER BY \"offset\"")
            #expect(offsets == (1...bad.count).map(String.init))
            let lengths = try await replica.rows(
                "SELECT length(payload) FROM dionysus_failures WHERE entity_id = '3' AND \"offset\" = \(bad.count)"
            )
            #expect(lengths == ["4"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `of a batch that the database refuses, only the messages that it refuses by themselves are recorded`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let good = (10...40).map { WireMessage.rental(.created, $0, name: "rental \($0)", version: 5) }
            let bad = WireMessage.rental(.created, 5, name: "rental 20", version: 6)
            try await replica.publish(good + [bad, .rental(.created, 50, name: "last")])
            try await replica.consume()
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["32"])
            let failures = try await replica.rows(
                """
                SELECT topic, "group", "partition", "offset", "key", entity_id, event_type, event_version, error_class,
                  attempts
                FROM dionysus_failures
                """
            )
            let group = "dionysus_consumer_group_for_test"
            #expect(failures == ["v3_rentals \(group) 0 31 Rental:5 5 rental_created 6 constraint 1"])
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["33"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a dead-letter queue gets the message as it was, and headers that say why`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.deadLetterQueue("dead_messages", maxRetries: 1)
            let malformed = WireMessage("v3_rentals", partition: 2, key: "Rental:7", value: #"{"message":0}"#)
            let refused = WireMessage.rental(.created, 5, name: "first", version: 6)
            try await replica.publish(Self.messages([refused]) + [malformed])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["1", "2"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])

            let letters = try await readAll("dead_messages", from: replica.broker)
            let byKey = Dictionary(letters.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
            #expect(letters.count == 2)
            let first = try #require(byKey["Rental:7"])
            #expect(first.value.text == #"{"message":0}"#)
            #expect(first.headers["original-topic"] == "v3_rentals")
            #expect(first.headers["original-partition"] == "2")
            #expect(first.headers["original-offset"] == "0")
            #expect(first.headers["error"]?.contains("malformed") == true)
            let second = try #require(byKey["Rental:5"])
            #expect(second.headers["attempts"] == "2")
            #expect(second.headers["error"]?.contains("constraint") == true)
            #expect(second.headers[HeaderName.version] == "6")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that stops applies what comes before the failure, and begins with it again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.onFailure(.stop)
            try await replica.publish(Self.messages([WireMessage("v3_rentals", value: "nonsense")]))
            for _ in 1...2 {
                let error = await #expect(throws: DionysusError.self) { try await replica.consume(mirror) }
                #expect(error?.code == .malformed)
                #expect(error?.message.contains("v3_rentals[0] offset 1") == true)
                #expect(try await replica.rows(Self.names) == ["1"])
            }
            mirror.rentals = mirror.rentals.onFailure(.skip)
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["1", "2"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error in the application's reaction changes no data`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.onConsume = { _ in throw DionysusError(.application, "it does not work") }
            try await replica.publish(Self.messages([]))
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["1", "2"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])
        }
    }

    /// Messages that are hard to write down.
    static let unwieldy: [OutgoingMessage] = {
        func message(key: [UInt8]?, value: [UInt8]?, headers: [MessageHeader] = []) -> OutgoingMessage {
            OutgoingMessage(
                topic: "v3_rentals",
                destination: .partition(0),
                key: key,
                value: value,
                headers: headers
            )
        }
        func event(_ name: String, _ model: String, _ payload: String) -> [UInt8] {
            Array(#"{"message":[{"event":"\#(name)","model_name":"\#(model)","data":[\#(payload)]}]}"#.utf8)
        }
        let headers = [
            MessageHeader("invalid", [0xff, 0xfe]), MessageHeader("zero", [0x61, 0x00]), MessageHeader("twice", [0x31]),
            MessageHeader("twice", [0x32]), MessageHeader(HeaderName.version, Array("12".utf8)),
            MessageHeader("quote", Array(#""\u0000"#.utf8)),
        ]
        let long = String(repeating: "long", count: 100_000)
        return [
            message(key: Array("Rental:1".utf8), value: [UInt8](repeating: 0x78, count: 10_000_000)),
            message(key: nil, value: [0x00]),
            message(key: [], value: []),
            message(key: [0x52, 0x3a, 0x00, 0x31], value: [0xff], headers: headers),
            message(key: [UInt8](repeating: 0x3a, count: 100_000), value: [0x7b], headers: headers),
            message(
                key: Array("R:\u{0}é".utf8),
                value: Array(#"{"message":[{"event":"a\u0000b","model_name":"","data":[]},7]}"#.utf8)
            ),
            message(key: Array("R:1".utf8), value: event("rental_created", long, "7")),
            message(
                key: Array("R:2".utf8),
                value: Array(#"{"message":[{"event":"\#(long)","model_name":"","data":[]},7]}"#.utf8)
            ),
            message(
                key: Array("R:3".utf8),
                value: event("rental_created", "Rental", #"{"id":"x","created_at":"0000-01-01T00:00:00Z"}"#)
            ),
            message(
                key: Array("R:4".utf8),
                value: event("rental_created", "Rental", #"{"id":4,"name":"zero \u0000 byte"}"#)
            ),
        ]
    }()

    @Test(
        arguments: TestDatabaseKind.available,
        [FailedMessagePolicy.record(laterMessages: .pass), .record(laterMessages: .wait)]
    )
    func `whatever a message is made of, it is recorded and comes back as it was`(
        _ kind: TestDatabaseKind,
        _ policy: FailedMessagePolicy
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let mirror = Mirror.rentals { $0.onFailure(policy) }
            try await replica.publish(raw: Self.unwieldy + [WireMessage.rental(.created, 9, name: "last").outgoing])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["9"])
            let failures = replica.failures(mirror)
            let recorded = try await failures.list()
            #expect(recorded.map(\.offset) == Self.unwieldy.indices.map(Int64.init))
            let log = try await readRaw("v3_rentals", from: replica.broker)
            for (failure, original) in zip(recorded, log) {
                let message = try #require(try await failures.message(failure.id))
                #expect(message.source == original.source && message.offset == original.offset)
                #expect(message.key == original.key && message.value == original.value)
                #expect(message.headers == original.headers && message.timestamp == original.timestamp)
            }
            let again = try await failures.retryAll()
            #expect(again.count == Self.unwieldy.count && again.allSatisfy { $0.outcome == .failed })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error of any type that a handler throws is a failure of its message`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [1])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.handling(diary.handler) }
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["1", "3"])
            #expect(try await Diary.offsets(in: replica) == ["0", "2"])
            let failure = try #require(try await replica.failures().list().first)
            #expect(failure.errorClass == "application" && failure.errorMessage.contains("Refusal"))
        }
    }

    @Test func `the error of a message shows nothing of its payload`() async throws {
        try await ReplicaHarness.run(.sqlite) { replica in
            try await replica.publish(.event("rental_created", "Rental", #"{"id":3,"price":"secret"}"#))
            try await replica.consume()
            let message = try await replica.rows("SELECT error_message FROM dionysus_failures")
            #expect(message.first?.contains("price") == true)
            #expect(message.first?.contains("secret") == false)
        }
    }
}
