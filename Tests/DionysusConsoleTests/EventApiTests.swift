import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@testable import Rentals

/// phobos_db_checkpoint's events, with events that handlers have handled.
struct EventApiTests {
    /// Writes down each account, and refuses what is named as the table says.
    private struct Mirror: Consumer {
        var namespaces: [Namespace] {
            Namespace("v3") {
                Topic("accounts", accepting: ["Account"]).eventLog()
                    .handling { event, transaction in
                        let isRefused = try transaction.run("SELECT 1 FROM journal WHERE entry = 'refuse'").first != nil
                        if isRefused { throw DionysusError(.conflict, "the journal is closed") }
                        try transaction.run("INSERT INTO journal (entry) VALUES (\(event.entityID ?? ""))")
                        return .acknowledged
                    }
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `handled events have phobos' shape, and are handled again by the handlers that are declared`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Shop.with(kind) { shop in
            var shop = shop
            shop.consumer = Mirror()
            try await shop.writeReplica("CREATE TABLE journal (entry text)")
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let list = try await visitor.get("/v1/events?topic=v3_accounts&entity_id=1&event_type=account_created")
                guard case .array(let events) = list.json, case .object(let event)? = events.first else {
                    Issue.record("no event is listed: \(list.text)")
                    return
                }
                #expect(events.count == 1)
                #expect(
                    event.members.map(\.name) == [
                        "id", "topic", "group_id", "entity_id", "event_time", "event_type", "event_version", "checksum",
                        "payload", "created_at",
                    ]
                )
                #expect(event["group_id"] == .string(shop.consumerSettings.effectiveGroupID))
                #expect(event["payload"]?["model_name"] == "Account")
                guard case .string(let time)? = event["event_time"], case .integer(let id)? = event["id"] else {
                    Issue.record("the event has no time or no id: \(list.text)")
                    return
                }
                #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
                #expect(try await visitor.get("/v1/events?event_type=none").json == [])
                #expect(try await visitor.get("/v1/events?offset=1").json == [])
                #expect(try await visitor.get("/v1/events/\(id)").json == .object(event))

                #expect(try await shop.journal() == ["1"])
                let again = try await visitor.post("/v1/events/\(id)/retry")
                #expect(again.status == 200)
                #expect(again.json == ["acknowledged": true])
                #expect(try await shop.journal() == ["1", "1"])

                try await shop.writeReplica("INSERT INTO journal (entry) VALUES ('refuse')")
                let refused = try await visitor.post("/v1/events/\(id)/retry")
                #expect(refused.status == 422)
                #expect(refused.json["error"] == true)
                #expect(refused.json["message"]?.text.contains("the journal is closed") == true)
                #expect(try await shop.journal() == ["1", "1", "refuse"])
                let missing = try await visitor.post("/v1/events/999/retry")
                #expect(missing.status == 404)
                #expect(missing.json["message"] == "event not found")
                let audit = try await visitor.get("/api/v1/audit").text
                #expect(audit.contains("events.retry") && audit.contains("acknowledged"))
            }
        }
    }
}

extension Shop {
    fileprivate func journal() async throws -> [String] {
        try await replica.transaction(.snapshot) { transaction in
            try transaction.run("SELECT entry FROM journal").rows.compactMap { try $0.text(0) }.sorted()
        }
    }
}
