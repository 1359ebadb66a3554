import Dionysus
import DionysusConsumer
import DionysusSchemas
import TestSupport
import Testing

/// What becomes of CloudEvents that are read, also of those of others.
@Suite
struct CloudEventReadingTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    /// Remembers the events that took effect.
    private struct Watching: Consumer {
        let mirror: FeedMirror
        let seen: Collected<ConsumedEvent>

        var namespaces: [Namespace] { mirror.namespaces }
        var models: Models { mirror.models }
        func didConsume(_ event: ConsumedEvent) async throws { seen.add(event) }
    }

    private static func event(_ id: String, _ more: [String: String] = [:], _ data: String?) -> (
        headers: [MessageHeader], value: [UInt8]?
    ) {
        let attributes = ["specversion": "1.0", "id": id, "source": "/theirs", "type": "com.example.booking"]
            .merging(more) { $1 }
        let headers = attributes.map { MessageHeader("ce_\($0.key)", Array($0.value.utf8)) }
        return (headers + [MessageHeader("content-type", Array("application/json".utf8))], data.map { Array($0.utf8) })
    }

    private static let booking = #"{"id":1,"start_at":"2026-01-01T00:00:00Z","final_price":"1.5"}"#

    @Test("events of others are read in both modes, with their ids", arguments: TestDatabaseKind.available)
    func others(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.json).cloudEvents()) { trial in
            let binary = Self.event("e1", ["dionysusversion": "5", "traceparent": Self.parent], Self.booking)
            try await trial.send([(Array("1".utf8), binary.value)], headers: binary.headers)
            let document = """
                {"specversion":"1.0","id":"e2","source":"/theirs","type":"feed.booking_updated","dionysusversion":"6",
                 "data":{"id":1,"start_at":"2026-01-02T00:00:00Z","final_price":"2.5"}}
                """
            let type = MessageHeader("Content-Type", Array("Application/CloudEvents+JSON".utf8))
            try await trial.send([(Array("1".utf8), Array(document.utf8))], headers: [type])
            let seen = Collected<ConsumedEvent>()
            try await trial.consume(Watching(mirror: trial.mirror, seen: seen))
            try await trial.expectCopies(["1 - 2.50 2026-01-02T00:00:00Z"])
            #expect(seen.all.map(\.eventID).last == "e2")

            // An older version, and an event without data that is an end by its name.
            let old = Self.event("e3", ["dionysusversion": "4"], Self.booking)
            try await trial.send([(Array("1".utf8), old.value)], headers: old.headers)
            try await trial.consume()
            try await trial.expectCopies(["1 - 2.50 2026-01-02T00:00:00Z"])
            let end =
                #"{"specversion":"1.0","id":"e4","source":"/theirs","type":"feed.booking_destroyed","dionysusversion":"7"}"#
            try await trial.send([(Array("1".utf8), Array(end.utf8))], headers: [type])
            try await trial.consume()
            try await trial.expectCopies([])
            try await trial.expectFailures(0)
        }
    }

    @Test("an event without data is a tombstone in binary mode only", arguments: TestDatabaseKind.available)
    func tombstones(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.json).cloudEvents()) { trial in
            let first = Self.event("e1", [:], Self.booking)
            try await trial.send([(Array("1".utf8), first.value)], headers: first.headers)
            let empty = #"{"specversion":"1.0","id":"e2","source":"/theirs","type":"com.example.booking","data":null}"#
            let type = MessageHeader("content-type", Array("application/cloudevents+json".utf8))
            try await trial.send([(Array("1".utf8), Array(empty.utf8))], headers: [type])
            try await trial.consume()
            try await trial.expectCopies(["1 - 1.50 2026-01-01T00:00:00Z"])
            try await trial.expectFailures(1)
            let end = Self.event("e3", [:], nil)
            try await trial.send([(Array("1".utf8), end.value)], headers: end.headers)
            try await trial.consume()
            try await trial.expectCopies([])
        }
    }

    @Test(
        "what says that it is an event and isn't fails, and what is around it arrives",
        arguments: TestDatabaseKind.available
    )
    func hostile(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.json).cloudEvents()) { trial in
            func structured(_ text: String, _ type: String = "application/cloudevents+json") -> (
                [MessageHeader], [UInt8]?
            ) {
                ([MessageHeader("content-type", Array(type.utf8))], Array(text.utf8))
            }
            let start = #"{"specversion":"1.0","id":"e","source":"/s","type":"t""#
            var broken: [([MessageHeader], [UInt8]?)] = [
                structured(""), structured("[]"), structured("{}"), structured("null"), structured(start),
                structured(#"{"specversion":"0.3","id":"e","source":"/s","type":"t","data":{"id":1}}"#),
                structured(#"{"specversion":"1.0","id":"","source":"/s","type":"t","data":{"id":1}}"#),
                structured(#"{"specversion":"1.0","source":"/s","type":"t","data":{"id":1}}"#),
                structured(start + #","data":{"id":1},"data_base64":"e30="}"#),
                structured(start + #","data_base64":"?"}"#), structured(start + #","data_base64":7}"#),
                structured(start + #","extra":{"a":1},"data":{"id":1}}"#), structured(start + #","data":7}"#),
                structured(start + #","dionysusversion":"x","data":{"id":1}}"#),
                structured(start + #","dionysusversion":"9223372036854775807","data":{"id":1}}"#),
                structured("[" + start + "}]", "application/cloudevents-batch+json"),
                structured(start + "}", "application/cloudevents+avro"),
                ([MessageHeader("content-type", Array("application/cloudevents+json".utf8))], nil),
                ([MessageHeader("ce_specversion", [0xff]), MessageHeader("ce_id", [1])], Array("{}".utf8)),
                ([MessageHeader("ce_specversion", Array("1.0".utf8))], Array(Self.booking.utf8)),
            ]
            broken.append((Self.event("e", [:], "{").headers, Array("{".utf8)))
            let good = Self.event("good", [:], Self.booking)
            for (headers, value) in broken { try await trial.send([(Array("1".utf8), value)], headers: headers) }
            try await trial.send([(Array("1".utf8), good.value)], headers: good.headers)
            try await trial.consume()
            try await trial.expectCopies(["1 - 1.50 2026-01-01T00:00:00Z"])
            try await trial.expectFailures(broken.count)
        }
    }

    @Test("a failed event is kept as it came, and read again when it is retried", arguments: TestDatabaseKind.available)
    func failures(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .envelope.cloudEvents(.structured)) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            // The replica doesn't take the price at first.
            try await Self.change(trial, "ALTER TABLE bookings RENAME COLUMN start_at TO starts_at")
            try await Self.change(trial, "ALTER TABLE bookings ADD COLUMN start_at integer")
            try await trial.consume()
            let failures = ConsumerFailures(
                trial.mirror,
                database: trial.replica,
                broker: trial.broker,
                settings: trial.consumer,
                logger: FeedTrial.logger
            )
            let failure = try #require(try await failures.list().first)
            #expect(failure.eventVersion != nil && failure.entityID == "7" && failure.eventType == "booking_created")
            try await Self.change(trial, "ALTER TABLE bookings DROP COLUMN start_at")
            try await Self.change(trial, "ALTER TABLE bookings RENAME COLUMN starts_at TO start_at")
            _ = try await failures.retryAll()
            #expect(try await trial.copies().count == 3)
            #expect(try await failures.list().isEmpty)
        }
    }

    private static func change(_ trial: FeedTrial, _ statement: SQL) async throws {
        _ = try await trial.replica.transaction(.write) { try $0.run(statement) }
    }

    @Test("an event of the log is handled once more as it was read", arguments: TestDatabaseKind.available)
    func replay(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .envelope.cloudEvents(.structured)) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.consume()
            try await Self.change(trial, "DELETE FROM bookings")
            try await Self.change(trial, "DELETE FROM bookings_fees")
            let events = try await ConsumerEvents(trial.mirror, database: trial.replica, settings: trial.consumer)
            let last = try #require(try await events.list(EventLogFilter()).last)
            _ = try await events.retry([last.id])
            #expect(try await trial.copies().count == 3)
        }
    }

    @Test("events go through Kafka", arguments: CloudEventMode.allCases)
    func kafka(_ mode: CloudEventMode) async throws {
        try await FeedTrial.run(.sqlite, .record(.json).cloudEvents(mode), onKafka: true) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            try await trial.consume()
            try await trial.expectCopies([])
        }
    }
}
