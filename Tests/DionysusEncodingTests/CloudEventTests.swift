import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// What CloudEvents of ours say.
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
