import Dionysus
import DionysusConsole
import DionysusConsumer
import DionysusProducer
import Hummingbird
import TestSupport
import Testing

/// The API, its document, and phobos_db_checkpoint's routes.
struct ApiTests {
    @Test func `the document describes every route for programs, with what it takes`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let document = try await visitor.get("/api/v1/openapi.json").json
                #expect(document["openapi"] == "3.1.0")
                guard case .object(let paths)? = document["paths"] else {
                    Issue.record("it has no paths")
                    return
                }
                var ids: Set<String> = []
                for path in paths.members {
                    guard case .object(let methods) = path.value else { continue }
                    for method in methods.members {
                        guard case .string(let id)? = method.value["operationId"] else { continue }
                        #expect(ids.insert(id).inserted)
                        #expect(method.value["summary"] != nil)
                        guard method.name == "get" else { continue }
                        // Every route is there, whatever it says about an id that nothing has.
                        let query =
                            path.name == "/api/v1/messages"
                            ? "?topic=v3_rentals" : path.name == "/api/v1/search" ? "?q=a" : ""
                        let concrete = path.name.replacing("{model}", with: "Rental").replacing("{id}", with: "42")
                        let answer = try await visitor.get(concrete + query)
                        #expect([200, 404].contains(answer.status), "\(concrete): \(answer.text)")
                        #expect(
                            answer.headers["content-type"]?.hasPrefix("application/json") == true
                                || path.name == "/ping"
                        )
                    }
                }
                #expect(paths["/api/v1/overview"] != nil)
                #expect(paths["/v1/failures/{id}"]?["delete"] != nil)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `messages are found by key, header and member, and the answer says how far the search went`(
        _ kind: TestDatabaseKind
    )
        async throws
    {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                func found(_ query: String) async throws -> JSON {
                    try await visitor.get("/api/v1/messages?topic=v3_rentals&from=earliest&\(query)").json
                }
                #expect(try await found("key=Rental:42")["messages"]?.count == 1)
                #expect(try await found("value=name=Hut")["messages"]?.count == 1)
                #expect(try await found("value=data.id=43")["messages"]?.count == 1)
                #expect(try await found("header=dionysus-event-id=-")["messages"]?.count == 2)
                let all = try await found("limit=1")
                #expect(all["messages"]?.count == 1)
                #expect(try await found("value=name=nothing")["looked_at"] == 2)
                #expect(try await visitor.get("/api/v1/messages?topic=v3_rentals&value=x").status == 422)
                #expect(try await visitor.get("/api/v1/messages?topic=v3_rentals&from=then").status == 422)
                #expect(try await visitor.get("/api/v1/messages").status == 422)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures have phobos' routes, shapes and statuses`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/ping").text == "PONG")
                #expect(try await visitor.get("/v1/failures/count").json == ["count": 1])
                let list = try await visitor.get("/v1/failures?limit=20&offset=0&topic=v3_accounts")
                guard case .array(let failures) = list.json, case .object(let failure)? = failures.first else {
                    Issue.record("no failure is listed: \(list.text)")
                    return
                }
                #expect(
                    failure.members.map(\.name) == [
                        "id", "created_at", "topic", "group_id", "entity_id", "event_time", "event_type",
                        "event_version",
                        "checksum", "payload", "metadata", "error_class", "error_message", "error_backtrace",
                    ]
                )
                #expect(failure["topic"] == "v3_accounts")
                #expect(failure["checksum"]?.text.utf8.count == 34)
                guard case .string(let time)? = failure["created_at"] else { return }
                #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
                #expect(try await visitor.get("/v1/failures?group_id=other").json == [])
                #expect(try await visitor.get("/v1/failures?offset=1").json == [])
                #expect(try await visitor.get("/v1/failures?limit=abc").status == 422)
                #expect(try await visitor.get("/v1/failures?limit=-1").status == 422)
                let missing = try await visitor.get("/v1/failures/999")
                #expect(missing.status == 404)
                #expect(missing.json["error"] == true)
                #expect(missing.json["message"] == "failure not found")
                #expect(try await visitor.get("/v1/failures/abc").json["message"] == "failure not found")
                let id = failure["id"]?.text ?? ""
                #expect(try await visitor.get("/v1/failures/\(id)").json == .object(failure))
                let again = try await visitor.post("/v1/failures/\(id)/retry")
                #expect(again.status == 422)
                #expect(again.json["error"] == true)
                #expect(try await visitor.send("DELETE", "/v1/failures/\(id)").json == ["acknowledged": true])
                #expect(try await visitor.send("DELETE", "/v1/failures/\(id)").status == 404)
                let nowhere = try await visitor.get("/v1/nothing")
                #expect(nowhere.status == 404)
                #expect(nowhere.json["message"] == "not found")
                #expect(try await visitor.get("/v1/events/1").json["message"] == "event not found")
                #expect(try await visitor.get("/v1/events").json == [])
            }
        }
    }

    @Test func `a console is mounted in an application's own router`() async throws {
        var settings = ConsoleSettings()
        settings.basePath = "/ops"
        try await Shop.with(.sqlite, settings) { shop in
            let console = try Console(shop.system, settings: settings, logger: Shop.logger)
            let router = Router()
            router.get("own") { _, _ in "mine" }
            console.add(to: router)
            try await whileServing { started in
                var application = Application(
                    router: router,
                    configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                    onServerRunning: { started($0.localAddress?.port ?? 0) },
                    logger: Shop.logger
                )
                application.addServices(console)
                return application
            } _: { address in
                try await askMounted(Visitor(address: address))
            }
        }
    }

    private func askMounted(_ visitor: Visitor) async throws {
        #expect(try await visitor.get("/own").text == "mine")
        #expect(try await visitor.get("/ops/").status == 200)
        #expect(try await visitor.get("/ops/api/v1/overview").json["verdict"] != nil)
    }
}

extension JSON {
    /// How many elements a list has.
    fileprivate var count: Int? { if case .array(let elements) = self { elements.count } else { nil } }
}
