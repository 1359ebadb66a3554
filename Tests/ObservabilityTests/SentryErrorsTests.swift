import Dionysus
import Foundation
import Observability
import Testing

/// The example that sends errors to Sentry.
@Suite struct SentryErrorsTests {
    @Test("an error is an envelope with its context, and without values of an application's error")
    func envelope() async throws {
        struct Secret: Error { let password = "hunter2" }
        let server = try Listener(isDatagram: false)
        let handler = try SentryErrors(dsn: "http://abc123@127.0.0.1:\(server.port)/42", environment: "test")
        handler.handle(
            DionysusError(.messageRejected, "the broker refused it", advice: "make it smaller"),
            ErrorContext("publish a row of the outbox", topic: "v3_rentals", record: "Rental:1", lane: 2, attempt: 3)
        )
        let (head, body) = await server.request()
        #expect(head.hasPrefix("POST /api/42/envelope/ HTTP/1.1"))
        #expect(head.lowercased().contains("sentry_version=7, sentry_key=abc123"))
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        try #require(lines.count == 3)
        let item = try JSON(parsing: Array(lines[1].utf8))
        #expect(item == ["length": .integer(Int64(lines[2].utf8.count)), "type": "event"])
        let event = try JSON(parsing: Array(lines[2].utf8))
        #expect(event["event_id"] == (try JSON(parsing: Array(lines[0].utf8)))["event_id"])
        #expect(event["environment"] == "test" && event["transaction"] == "publish a row of the outbox")
        #expect(
            event["tags"] == ["attempt": "3", "lane": "2", "record": "Rental:1", "topic": "v3_rentals"]
        )
        #expect(lines[2].contains("message_rejected") && lines[2].contains("make it smaller"))

        handler.handle(Secret(), ErrorContext("tell a subscriber of dionysus.respond"))
        let (_, second) = await server.request()
        #expect(second.contains("\"Secret\"") && !second.contains("hunter2"))
    }

    @Test("an invalid address is refused", arguments: ["", "sentry.example.com", "https://sentry.example.com/42"])
    func badAddress(_ dsn: String) {
        #expect(throws: SentryError.self) { try SentryErrors(dsn: dsn) }
    }
}
