import Dionysus
import DionysusConsole
import DionysusConsumer
import TestSupport
import Testing

/// Topics and partitions that are paused, resumed and moved in the console.
struct ConsumerActionTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a topic is paused, shown as paused, and resumed`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                let page = try await visitor.get("/consumers")
                let topic = [("csrf", page.text.formToken), ("topic", "v3_rentals")]
                let done = try await visitor.submit("/consumers/pause", topic)
                #expect(done.status == 303)
                try await visitor.waitFor(done.headers["location"] ?? "") { $0.contains("Go back") }
                try await shop.consume()
                #expect(try await shop.count("rentals") == 0)
                #expect(try await shop.count("accounts") == 1)

                try await visitor.waitFor("/consumers") { $0.contains("are paused;") || $0.contains("is paused;") }
                let paused = try await visitor.get("/consumers").text
                #expect(paused.contains("paused</span> by local"), "\(paused)")
                let resumed = try await visitor.submit("/consumers/resume", topic)
                #expect(resumed.status == 303)
                try await visitor.waitFor(resumed.headers["location"] ?? "") { $0.contains("Go back") }
                try await shop.consume()
                #expect(try await shop.count("rentals") == 2)
                let audit = try await visitor.get("/api/v1/audit").text
                #expect(audit.contains("consumers.pause") && audit.contains("consumers.resume"))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `programs pause one partition, and the answer names who did`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                let place: JSON = ["topic": "v3_rentals", "partition": 0]
                let started = try await visitor.post("/api/v1/consumers/pause", place)
                #expect(started.status == 202)
                #expect(try await visitor.outcome(of: started)["problem"] == .null)
                let report = try await visitor.get("/api/v1/consumers").json
                guard case .array(let partitions)? = report["partitions"] else {
                    Issue.record("there are no partitions: \(report)")
                    return
                }
                let paused = partitions.filter { $0["paused_by"] == "local" }
                #expect(paused.map { $0["partition"] } == [0] && paused.map { $0["topic"] } == ["v3_rentals"])
                #expect(try await visitor.post("/api/v1/consumers/resume", place).status == 202)
                let missing = try await visitor.post("/api/v1/consumers/pause", ["topic": "v3_none"])
                let problem = try await visitor.outcome(of: missing)["problem"]
                #expect(problem?.text.contains("is not consumed") == true, "\(missing.text)")
                #expect(try await visitor.post("/api/v1/consumers/pause").status == 422)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a move says what it means before it is made, and brings back what the replica lacks`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.writeReplica("DELETE FROM rentals")
            try await shop.serving { (visitor: Visitor) async throws in
                let fields = [
                    ("csrf", try await visitor.get("/consumers").text.formToken), ("topic", "v3_rentals"),
                    ("partition", ""), ("to", "earliest"),
                ]
                let question = try await visitor.submit("/consumers/move", fields)
                #expect(question.status == 200)
                #expect(question.text.contains("Move v3_rentals to earliest?"), "\(question.text)")
                #expect(question.text.contains("delivered again"))
                let done = try await visitor.submit("/consumers/move", fields + [("confirm", "1")])
                #expect(done.status == 303)
                try await visitor.waitFor(done.headers["location"] ?? "") { $0.contains("moved ") }
                try await shop.consume()
                #expect(try await shop.count("rentals") == 2)
                for to in ["then", "latest-5", ""] {
                    let answer = try await visitor.post(
                        "/api/v1/consumers/move",
                        ["topic": "v3_rentals", "to": .string(to)]
                    )
                    #expect(answer.status == 422, "\(to)")
                }
            }
        }
    }
}

/// Messages that are followed, kept as a file and published again.
struct MessageActionTests {
    @Test func `messages are followed and kept as a file, each as a line`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                try await visitor.waitFor("/messages/tail?topic=v3_rentals") { $0.contains("the newest at") }
                let tail = try await visitor.get("/messages/tail?topic=v3_rentals")
                #expect(tail.status == 200)
                #expect(tail.text.contains("v3_rentals: the newest at"), "\(tail.text)")
                #expect(tail.text.contains("data-live=\"/live?page=%2Fmessages%2Ftail%3Ftopic%3Dv3_rentals\""))
                #expect(try await visitor.get("/messages/tail?topic=v3_none").status == 404)
                let file = try await visitor.get("/messages/download?topic=v3_rentals&from=earliest&value=name=Hut")
                #expect(file.headers["content-disposition"] == "attachment; filename=\"v3_rentals.ndjson\"")
                let lines = file.text.split(separator: "\n")
                #expect(lines.count == 1)
                #expect(try JSON(parsing: Array((lines.first ?? "").utf8))["key"] == "Rental:43")
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message is published once more after a question`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                let found = try await visitor.get("/api/v1/messages?topic=v3_rentals&from=earliest&key=Rental:42").json
                guard case .array(let messages)? = found["messages"], let message = messages.first,
                    case .integer(let partition)? = message["partition"], case .integer(let offset)? = message["offset"]
                else {
                    Issue.record("there is no message: \(found)")
                    return
                }
                let page = try await visitor.get("/messages?topic=v3_rentals")
                let fields = [
                    ("csrf", page.text.formToken), ("topic", "v3_rentals"), ("partition", "\(partition)"),
                    ("offset", "\(offset)"),
                ]
                let question = try await visitor.submit("/messages/republish", fields)
                #expect(question.text.contains("once more?"), "\(question.text)")
                let done = try await visitor.submit("/messages/republish", fields + [("confirm", "1")])
                try await visitor.waitFor(done.headers["location"] ?? "") { $0.contains("published at offset") }
                let again = try await visitor.get("/api/v1/messages?topic=v3_rentals&from=earliest&key=Rental:42").json
                guard case .array(let both)? = again["messages"] else { return }
                #expect(both.count == 2)
                #expect(Set(both.map { $0["payload"]?.text }).count == 1)
                #expect(Set(both.map { $0["headers"]?.text }).count == 1)
                let gone: JSON = ["topic": "v3_rentals", "partition": .integer(partition), "offset": 999]
                let missing = try await visitor.post("/api/v1/messages/republish", gone)
                let problem = try await visitor.outcome(of: missing)["problem"]
                #expect(problem?.text.contains("there is no message") == true, "\(missing.text)")
                #expect(try await visitor.get("/api/v1/audit").text.contains("messages.republish"))
                let foreign: JSON = ["topic": "secret", "partition": 0, "offset": 0]
                #expect(try await visitor.post("/api/v1/messages/republish", foreign).status == 404)
            }
        }
    }
}

extension Shop {
    fileprivate func count(_ table: String) async throws -> Int64 {
        try await replica.transaction(.snapshot) {
            try $0.run("SELECT count(*) FROM \(identifier: table)").first?.integer(0) ?? 0
        }
    }
}

extension Visitor {
    /// Asks for a page until it shows something.
    fileprivate func waitFor(_ path: String, _ isShown: (String) -> Bool) async throws {
        while try await !isShown(get(path).text) {}
    }
}
