import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

/// Messages come from outside: whatever their bytes are, each is applied or recorded as failed.
///
/// The tests run one by one, so that they leave room for those that wait for something.
@Suite(.serialized) struct HostileInputTests {
    @Test(arguments: TestDatabaseKind.available)
    func `of 50,000 generated inputs each is applied or recorded as failed`(_ kind: TestDatabaseKind) async throws {
        let total = 50_000
        try await ReplicaHarness.run(kind) { replica in
            // Other inputs for each database: 100,000 in all.
            var input = HostileInput(seed: kind == .sqlite ? 42 : 43)
            var silent: Set<Int64> = []
            let producer = try await replica.broker.makeProducer(ProducerOptions(clientID: "test"))
            for start in stride(from: 0, to: total, by: 5_000) {
                let messages = (0..<5_000).map { _ in input.message() }
                for (index, message) in messages.enumerated() where Self.saysNothing(message) {
                    silent.insert(Int64(start + index))
                }
                for result in await producer.send(messages.map(Self.outgoing)) { _ = try result.get() }
            }
            await producer.close(deadline: .seconds(5))
            let decoded = Mutex<Set<Int64>>([])
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.accepting { event in
                decoded.withLock { _ = $0.insert(event.message.offset) }
                return true
            }
            try await replica.consume(mirror, settings: Self.settings)

            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["\(total)"])
            let failures = try await replica.rows("SELECT \"offset\" FROM dionysus_failures")
            let failed = Set(failures.compactMap { Int64($0) })
            let applied = decoded.withLock { $0 }.union(silent).subtracting(failed)
            #expect(failures.count == failed.count)
            #expect(failed.count + applied.count == total)
            #expect(failed.count > total / 5)
            #expect(applied.count > total / 3)
            let rows = try await replica.rows("SELECT count(*) FROM rentals WHERE name LIKE 'villa %'")
            #expect(Int(rows[0]) ?? 0 > total / 10)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `payloads of ten megabytes are applied or recorded as failed, and those behind them are applied`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let giants = HostileInput.giants()
            for value in giants {
                var message = WireMessage("v3_rentals", key: "Rental:1", value: "")
                message.value = value
                try await replica.publish(message)
            }
            try await replica.publish(.rental(.created, 1, name: "behind"))
            var settings = Self.settings
            settings.batchSize = 2
            try await replica.consume(settings: settings)
            let next = try await replica.rows("SELECT next_offset FROM dionysus_offsets")
            #expect(next == ["\(giants.count + 1)"])
            #expect(try await replica.rows("SELECT name FROM rentals WHERE synced_id = 1") == ["behind"])
            let applied = try await replica.rows("SELECT count(*) FROM rentals WHERE synced_id <> 1")
            let failures = try await replica.failures
            #expect((Int(applied[0]) ?? 0) + failures.count == giants.count)
            // What says why is short, whatever the payload is.
            #expect(failures.allSatisfy { $0.utf8.count < 1_000 })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what can't be recorded as it is does not keep a failure from being recorded`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let value = """
                {"message":[{"event":"x\\u0000_created","model_name":"R\\u0000",\
                "data":[{"created_at":"0000-01-01"},7]}]}
                """
            let message = OutgoingMessage(
                topic: "v3_rentals",
                destination: .partition(0),
                key: Array("Rental:\0\u{1}".utf8),
                value: Array(value.utf8),
                headers: [
                    MessageHeader("a\0b", [0x61, 0x00]), MessageHeader("c", [0xff]), MessageHeader("", []),
                    MessageHeader("long", Array(repeating: 0x61, count: 1_000_000)),
                ]
            )
            let producer = try await replica.broker.makeProducer(ProducerOptions(clientID: "test"))
            for result in await producer.send([message]) { _ = try result.get() }
            await producer.close(deadline: .seconds(5))
            try await replica.publish(.rental(.created, 1, name: "behind"))
            try await replica.consume()
            #expect(try await replica.rows(rentalNames) == ["1 behind"])
            let failures = try await replica.rows("SELECT event_type, error_class FROM dionysus_failures")
            #expect(failures == ["x\u{fffd}_created malformed"])
            let key = try await replica.database.transaction(.snapshot) {
                try $0.run("SELECT \"key\", payload FROM dionysus_failures").first.map { [$0[0], $0[1]] }
            }
            #expect(key == [.bytes(Array("Rental:\0\u{1}".utf8)), .bytes(Array(value.utf8))])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `text with a zero byte fails its message alone`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let good = (1...20).map { WireMessage.rental(.created, $0, name: "rental \($0)") }
            let bad = WireMessage.event("rental_created", "Rental", #"{"id":99,"name":"a\u0000b"}"#)
            try await replica.publish(good + [bad] + [.rental(.created, 50, name: "last")])
            try await replica.consume()
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["21"])
            #expect(try await replica.rows("SELECT \"offset\" FROM dionysus_failures") == ["20"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `names from messages are cut and cleaned before an error shows them`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let model = "Evil\\n2026-01-01 error: all is lost" + String(repeating: "!", count: 10_000)
            try await replica.publish(.event("rental_created", model, #"{"id":1,"links":3}"#))
            try await replica.consume()
            let message = try #require(try await replica.failures.first)
            #expect(message.contains("Evil?2026"))
            #expect(!message.contains("\n"))
            #expect(message.utf8.count < 300)
        }
    }

    private static var settings: ConsumerSettings {
        var settings = ConsumerSettings.forTests
        settings.batchSize = 500
        return settings
    }

    private static func outgoing(_ message: HostileInput.Message) -> OutgoingMessage {
        OutgoingMessage(
            topic: "v3_rentals",
            destination: .partition(0),
            key: message.key,
            value: message.value,
            headers: message.headers
        )
    }

    /// Whether a message, if it can be read, tells of no record: it has no value, or no event of a known kind.
    private static func saysNothing(_ message: HostileInput.Message) -> Bool {
        guard let value = message.value, value != Array("null".utf8) else { return true }
        guard case .array(let events)? = (try? JSON(parsing: value))?["message"] else { return false }
        return events.allSatisfy { event in
            guard case .string(let name)? = event["event"], case .array(let payloads)? = event["data"] else {
                return false
            }
            return EventName(name) == nil || payloads.isEmpty
        }
    }
}
