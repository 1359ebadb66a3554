import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// What CloudEvents of ours say, and what becomes of those of others.
@Suite
struct CloudEventTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private static func headers(_ message: ConsumedMessage) -> [String: String] {
        Dictionary(
            message.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) },
            uniquingKeysWith: { _, last in last }
        )
    }

    private static func named(_ name: String, _ trial: FeedTrial) -> FeedTrial {
        var trial = trial
        trial.producer.application = name
        return trial
    }

    // MARK: What is sent

    @Test(
        "attributes are headers in binary mode, and the value is what it always was",
        arguments: TestDatabaseKind.available
    )
    func binary(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .envelope.cloudEvents()) { trial in
            let trial = Self.named("booking sync", trial)
            try await trial.writeBooking()
            try await trial.write("UPDATE dionysus_outboxes SET traceparent = \(Self.parent)")
            try await trial.relay()
            let message = try #require(try await trial.messages().first)
            let headers = Self.headers(message)
            #expect(headers["ce_specversion"] == "1.0" && headers["content-type"] == "application/json")
            #expect(headers["ce_source"] == "/booking%20sync/feed" && headers["ce_type"] == "feed.booking_created")
            #expect(headers["ce_subject"] == "Booking/7" && headers["ce_traceparent"] == Self.parent)
            #expect(headers["traceparent"] == Self.parent)
            #expect(headers["ce_time"].flatMap { Timestamp($0) } != nil)
            #expect(headers["ce_dionysusversion"].flatMap { Int64($0) } != nil)
            #expect(headers["ce_id"]?.isEmpty == false && headers.keys.allSatisfy { !$0.hasPrefix("dionysus-") })
            #expect(TopicMessage(message).event == "booking_created" && message.key == Array("Booking:7".utf8))
            #expect(TopicMessage(message).version == headers["ce_dionysusversion"].flatMap { Int64($0) })
        }
    }

    @Test("in structured mode the value has attributes and data", arguments: TestDatabaseKind.available)
    func structured(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.json).cloudEvents(.structured)) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            let message = try #require(try await trial.messages().last)
            #expect(Self.headers(message) == ["content-type": "application/cloudevents+json; charset=UTF-8"])
            let event = try JSON(parsing: message.value ?? [])
            #expect(event["specversion"] == "1.0" && event["datacontenttype"] == "application/json")
            #expect(event["source"] == "/dionysus/feed" && event["subject"] == "Booking/7")
            #expect(event["data"]?["final_price"] == "550.50" && event["data"]?["bookings_fee_ids"] == [1, 2])
            // Only a message without a value is a tombstone.
            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            let end = try #require(try await trial.messages().last)
            #expect(end.value == nil && Self.headers(end)["ce_type"] == "feed.booking_destroyed")
        }
    }

    @Test(
        "data of a registry's schema say where it is, and are base64 in structured mode",
        arguments: TestDatabaseKind.available
    )
    func schemas(_ kind: TestDatabaseKind) async throws {
        for mode in CloudEventMode.allCases {
            try await FeedTrial.run(kind, .record(.avro(key: .field("id"))).cloudEvents(mode)) { trial in
                try await trial.writeBooking()
                try await trial.relay()
                let message = try #require(try await trial.messages().last)
                let headers = Self.headers(message)
                let event = mode == .structured ? try JSON(parsing: message.value ?? []) : JSON.null
                let schema = mode == .structured ? event["dataschema"] : headers["ce_dataschema"].map(JSON.string)
                guard case .string(let address)? = schema else {
                    Issue.record("there is no schema")
                    return
                }
                #expect(address.contains("/schemas/ids/") && !address.contains("@"))
                if mode == .structured {
                    #expect(event["data"] == nil && event["datacontenttype"] == "application/avro")
                    guard case .string(let data)? = event["data_base64"] else {
                        Issue.record("there are no data")
                        return
                    }
                    // The frame with the schema's id.
                    #expect(data.hasPrefix("AAAAA"))
                } else {
                    #expect(headers["content-type"] == "application/avro" && message.value?.first == 0)
                }
            }
        }
    }

    @Test("plain messages are events, with the attributes that they choose", arguments: TestDatabaseKind.available)
    func plain(_ kind: TestDatabaseKind) async throws {
        struct Notices: Producer {
            let mode: CloudEventMode

            var namespaces: [Namespace] {
                Namespace("feed") { Topic(messages: "notices", encoding: .record(.json).cloudEvents(mode)) }
            }
        }
        for mode in CloudEventMode.allCases {
            try await FeedTrial.run(kind, .envelope) { trial in
                let registry = Registry(Notices(mode: mode), settings: trial.producer)
                try await OutboxSchema(database: trial.source, registry: registry).migrate(lanes: trial.producer.lanes)
                let publisher = try await MessagePublisher(
                    registry,
                    topic: "feed_notices",
                    database: trial.source,
                    settings: trial.producer
                )
                var notice = PlainMessage(
                    ["text": "one"],
                    key: "a",
                    headers: [MessageHeader("ce_tenant", Array("t1".utf8))]
                )
                notice.event = "notice_posted"
                try await publisher.publish(contentsOf: [notice, PlainMessage(["text": "two"], key: "a")])
                try await RelayService(
                    registry,
                    database: trial.source,
                    broker: trial.broker,
                    settings: trial.producer,
                    mode: .untilEmpty,
                    logger: FeedTrial.logger
                )
                .run()
                let events = try await trial.messages(in: "feed_notices").map { try CloudEventFields($0) }
                #expect(events.map { $0["type"] } == ["feed.notice_posted", "feed.notices"])
                #expect(events.map { $0["subject"] } == ["a", "a"] && events.map { $0["tenant"] } == ["t1", nil])
                #expect(events.map(\.data) == [["text": "one"], ["text": "two"]])
                #expect(Set(events.map { $0["id"] }).count == 2)
            }
        }
    }

    @Test("a record is previewed with its attributes", arguments: TestDatabaseKind.available)
    func preview(_ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, .record(.avro(key: .field("id"))).cloudEvents(.structured)) { trial in
            try await trial.writeBooking()
            let preview = try #require(
                try await MessagePreview.of(
                    "Booking",
                    id: "7",
                    in: FeedTrial.topic,
                    trial.registry,
                    database: trial.source,
                    settings: trial.producer
                )
            )
            #expect(try JSON(parsing: preview.value)["final_price"] == "550.50")
            #expect(preview.headers.contains { $0.name == "ce_subject" && $0.value == "Booking/7" })
            #expect(preview.headers.contains { $0.name == "ce_id" && $0.value == nil })
        }
    }

    // MARK: What is read

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

/// A CloudEvent of either mode, as its reader sees it.
struct CloudEventFields {
    private let attributes: [String: String]
    let data: JSON?

    init(_ message: ConsumedMessage) throws {
        let headers = message.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) }
        let type = headers.last { $0.0 == "content-type" }?.1
        if type?.hasPrefix("application/cloudevents+json") == true {
            let document = try JSON(parsing: message.value ?? [])
            guard case .object(let object) = document else { throw DionysusError(.malformed, "no object") }
            data = object["data"]
            attributes = object.members.reduce(into: [:]) { result, member in
                if case .string(let text) = member.value { result[member.name] = text }
            }
        } else {
            data = try message.value.map { try JSON(parsing: $0) }
            attributes = headers.reduce(into: [:]) { result, header in
                if header.0.hasPrefix("ce_") { result[String(header.0.dropFirst(3))] = header.1 }
            }
        }
    }

    subscript(name: String) -> String? { attributes[name] }
}
