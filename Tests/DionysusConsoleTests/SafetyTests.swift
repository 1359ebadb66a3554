import Dionysus
import DionysusConsole
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// Those who may not, and those who mean harm.
struct SafetyTests {
    private static let read = "reader-0123456789abcdef"
    private static let operate = "operator-0123456789abcdef"
    private static let admin = "admin-0123456789abcdef"

    private static var guarded: ConsoleSettings {
        var settings = ConsoleSettings()
        settings.tokens = [
            .init(name: "rita", role: .read, secret: read), .init(name: "otto", role: .operate, secret: operate),
            .init(name: "ada", role: .admin, secret: admin),
        ]
        return settings
    }

    private static func bearer(_ secret: String) -> [String: String] { ["authorization": "Bearer \(secret)"] }

    @Test func `others reach it only if it asks for a token`() async throws {
        try await Shop.with(.sqlite) { shop in
            let open = try Console(shop.system, logger: Shop.logger)
            for host in ["0.0.0.0", "::", "10.0.0.1", "example.com"] {
                #expect(throws: DionysusError.self) { try ConsoleServer(open, host: host, port: 0) }
            }
            let guarded = try Console(shop.system, settings: Self.guarded, logger: Shop.logger)
            #expect(throws: Never.self) { try ConsoleServer(guarded, host: "0.0.0.0", port: 0) }
            var weak = ConsoleSettings()
            weak.tokens = [.init(name: "x", role: .admin, secret: "short")]
            #expect(throws: DionysusError.self) { try Console(shop.system, settings: weak) }
        }
    }

    @Test func `a request without a token, or with a wrong one, gets no answer`() async throws {
        try await Shop.with(.sqlite, Self.guarded) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/api/v1/overview").status == 401)
                #expect(try await visitor.get("/v1/events").status == 401)
                let page = try await visitor.get("/outbox?state=parked")
                #expect(page.status == 303)
                #expect(page.headers["location"] == "/login?next=%2Foutbox%3Fstate%3Dparked")
                #expect(try await visitor.get("/live?page=/").status == 303)
                #expect(try await visitor.get("/api/v1/overview", Self.bearer("wrong")).status == 401)
                #expect(try await visitor.get("/api/v1/overview", Self.bearer(Self.read)).status == 200)
                #expect(try await visitor.get("/ping").text == "PONG")
                #expect(try await visitor.get("/health/live").status == 200)
                #expect(try await visitor.get("/assets/console.css").status == 200)
            }
        }
    }

    @Test func `a role does what it may and no more`() async throws {
        try await Shop.with(.sqlite, Self.guarded) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let (read, operate, admin) = (
                    Self.bearer(Self.read), Self.bearer(Self.operate), Self.bearer(Self.admin)
                )
                #expect(try await visitor.post("/api/v1/outbox/retry", ["all": true], read).status == 403)
                #expect(
                    try await visitor.post("/api/v1/outbox/retry", ["all": true, "dry_run": true], operate).status
                        == 200
                )
                #expect(try await visitor.get("/api/v1/audit", operate).status == 403)
                #expect(try await visitor.get("/api/v1/audit", admin).status == 200)
                let tombstone = "/api/v1/record/Rental/42/tombstone"
                #expect(try await visitor.post(tombstone, ["topic": "v3_rentals"], operate).status == 403)
                let page = try await visitor.get("/outbox", read)
                #expect(!page.text.contains("method=\"post\""))
                #expect(try await visitor.send("DELETE", "/v1/failures/1", read).status == 403)
            }
        }
    }

    @Test func `a session begins with a token and ends by logging out`() async throws {
        try await Shop.with(.sqlite, Self.guarded) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                let wrong = try await visitor.submit("/login", [("token", "no"), ("next", "/runs")])
                #expect(wrong.status == 401)
                let answer = try await visitor.submit("/login", [("token", Self.operate), ("next", "/runs")])
                #expect(answer.status == 303)
                #expect(answer.headers["location"] == "/runs")
                let cookie = try #require(answer.headers["set-cookie"])
                #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
                let session = ["cookie": String(cookie.prefix { $0 != ";" })]
                let page = try await visitor.get("/runs", session)
                #expect(page.status == 200)
                #expect(page.text.contains("otto"))
                _ = try await visitor.submit("/logout", [("csrf", page.text.formToken)], session)
                #expect(try await visitor.get("/runs", session).status == 303)
                let foreign = [
                    "origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded",
                ]
                let form = Array("token=\(Self.operate)".utf8)
                #expect(try await visitor.send("POST", "/login", foreign, form).status == 403)
                let long = String(repeating: "x", count: 40_000)
                #expect(try await visitor.submit("/login", [("token", long)]).status == 413)
                for next in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
                    let elsewhere = try await visitor.submit("/login", [("token", Self.operate), ("next", next)])
                    #expect(elsewhere.headers["location"] == "/")
                }
            }
        }
    }

    @Test func `another site can't make a browser change anything`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let token = try await visitor.get("/runs").text.formToken
                let fields = [("csrf", token), ("what", "v3_rentals Rental"), ("confirm", "1")]
                for site in ["cross-site", "same-site"] {
                    #expect(try await visitor.submit("/runs", fields, ["sec-fetch-site": site]).status == 403)
                }
                #expect(try await visitor.submit("/runs", Array(fields.dropFirst())).status == 403)
                #expect(try await visitor.submit("/runs", [("csrf", "x" + token)] + fields.dropFirst()).status == 403)
                let foreign = ["origin": "https://evil.example", "content-type": "application/json"]
                #expect(try await visitor.send("POST", "/api/v1/runs", foreign, Array("{}".utf8)).status == 403)
                // A body that a form of another site can send, and a name that leads here by another's DNS.
                #expect(
                    try await visitor.send("POST", "/api/v1/runs", ["content-type": "text/plain"], Array("{}".utf8))
                        .status == 415
                )
                #expect(try await visitor.get("/", ["host": "evil.example"]).status == 421)
                #expect(try await visitor.get("/api/v1/runs").json["runs"] == [])
            }
        }
    }

    @Test func `no change is made for those without a token, for readers, and for other sites`() async throws {
        let forms = [
            "/consumers/pause", "/consumers/resume", "/consumers/move", "/messages/republish", "/failures/actions",
            "/outbox/actions", "/runs",
        ]
        let fields = [
            ("topic", "v3_rentals"), ("partition", "0"), ("offset", "0"), ("to", "latest"), ("all", "retry"),
            ("what", "v3_rentals Rental"), ("confirm", "1"),
        ]
        try await Shop.with(.sqlite, Self.guarded) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let read = Self.bearer(Self.read)
                guard case .object(let paths)? = try await visitor.get("/api/v1/openapi.json", read).json["paths"]
                else {
                    Issue.record("the document has no paths")
                    return
                }
                let changes = paths.members.filter { $0.value["post"] != nil }.map(\.name)
                #expect(changes.contains("/api/v1/consumers/move") && changes.contains("/api/v1/messages/republish"))
                for path in changes.map({ $0.replacing("{model}", with: "Rental").replacing("{id}", with: "1") }) {
                    #expect(try await visitor.post(path).status == 401, "\(path)")
                    #expect(try await visitor.post(path, .object([:]), read).status == 403, "\(path)")
                }
                for path in forms {
                    #expect(try await visitor.submit(path, fields).status == 401, "\(path)")
                    #expect(try await visitor.submit(path, fields, read).status == 403, "\(path)")
                }
                #expect(try await visitor.get("/messages/download?topic=v3_rentals").status == 303)
                #expect(!(try await visitor.get("/consumers", read).text.contains("method=\"post\"")))
            }
            var open = shop
            open.settings = ConsoleSettings()
            try await open.serving { (visitor: Visitor) async throws in
                let token = try await visitor.get("/runs").text.formToken
                for path in forms {
                    #expect(try await visitor.submit(path, fields).status == 403, "\(path)")
                    let foreign = try await visitor.submit(
                        path,
                        fields + [("csrf", token)],
                        ["sec-fetch-site": "cross-site"]
                    )
                    #expect(foreign.status == 403, "\(path)")
                }
            }
        }
    }

    @Test func `a proxy's header counts only from the proxy`() async throws {
        var settings = Self.guarded
        settings.trustedHeader = "X-Forwarded-User"
        settings.trustedRole = .operate
        settings.trustedProxies = ["192.0.2.1"]
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/api/v1/overview", ["x-forwarded-user": "eve"]).status == 401)
            }
            var trusting = shop
            trusting.settings.trustedProxies = ["127.0.0.1"]
            try await trusting.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/api/v1/overview", ["x-forwarded-user": "mia"]).status == 200)
                #expect(try await visitor.get("/api/v1/audit", ["x-forwarded-user": "mia"]).status == 403)
                #expect(try await visitor.get("/api/v1/overview").status == 401)
            }
        }
    }

    @Test func `a console that is read-only changes nothing for anybody`() async throws {
        var settings = Self.guarded
        settings.isReadOnly = true
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let admin = Self.bearer(Self.admin)
                for path in [
                    "/api/v1/outbox/retry", "/api/v1/runs", "/api/v1/record/Rental/42/publish", "/v1/failures/1/retry",
                ] {
                    #expect(
                        try await visitor.post(path, ["all": true, "topic": "v3_rentals", "model": "Rental"], admin)
                            .status == 403
                    )
                }
                #expect(!(try await visitor.get("/runs", admin).text.contains("method=\"post\" action=\"/runs")))
            }
        }
    }

    @Test func `wrong tokens are answered only so often`() async throws {
        try await Shop.with(.sqlite, Self.guarded) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                for _ in 0..<10 { #expect(try await visitor.submit("/login", [("token", "guess")]).status == 401) }
                #expect(try await visitor.submit("/login", [("token", "guess")]).status == 429)
                #expect(try await visitor.get("/api/v1/overview", Self.bearer("guess")).status == 429)
                // Others behind the same address go on.
                #expect(try await visitor.get("/api/v1/overview", Self.bearer(Self.read)).status == 200)
                #expect(try await visitor.submit("/login", [("token", Self.read)]).status == 303)
            }
        }
    }

    @Test func `masked members are shown nowhere`() async throws {
        var settings = ConsoleSettings()
        settings.maskedMembers = ["name"]
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                for path in [
                    "/record/Rental/42", "/api/v1/record/Rental/42", "/messages?topic=v3_rentals&from=earliest",
                    "/messages/tail?topic=v3_rentals", "/messages/download?topic=v3_rentals&from=earliest",
                    "/api/v1/messages?topic=v3_accounts&from=earliest", "/failures/1", "/api/v1/failures/1",
                    "/v1/failures/1",
                    "/v1/failures", "/outbox/2", "/api/v1/outbox/2",
                ] {
                    let answer = try await visitor.get(path)
                    #expect(answer.status == 200, "\(path)")
                    #expect(
                        !answer.text.contains("Villa") && !answer.text.contains("alert(1)"),
                        "\(path): \(answer.text)"
                    )
                }
                #expect(try await visitor.get("/record/Rental/42").text.contains("•••"))
            }
        }
    }

    @Test func `no search finds masked members, and no checksum reveals them`() async throws {
        var settings = ConsoleSettings()
        settings.maskedMembers = ["name"]
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let messages = "/api/v1/messages?topic=v3_rentals&from=earliest"
                #expect(try await visitor.get("\(messages)&value=name=Hut").status == 422)
                #expect(try await visitor.get("\(messages)&value=data.name=Hut").status == 422)
                #expect(try await visitor.get("\(messages)&header=name=x").status == 422)
                #expect(try await visitor.get("\(messages)&value=data.id=43").text.contains("\"Rental:43\""))
                #expect(try await visitor.get("/v1/failures/1").json["checksum"] == JSON.null)
            }
        }
    }

    @Test func `masked members are hidden inside a replica's JSON columns`() async throws {
        var settings = ConsoleSettings()
        settings.maskedMembers = ["name"]
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.writeReplica(
                "ALTER TABLE rentals ADD COLUMN notes text",
                """
                UPDATE rentals SET notes = '{"city": "Porto", "guests": [{"name": "Ines"}]}'
                """
            )
            try await shop.serving { (visitor: Visitor) async throws in
                let page = try await visitor.get("/record/Rental/42").text
                #expect(page.contains("Porto"))
                #expect(!page.contains("Ines"))
            }
        }
    }

    @Test func `paths, bodies and heads beyond measure are refused`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                for path in [
                    "/assets/../../etc/passwd", "/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/assets/console.css%00",
                    "/record/..%2f../x",
                ] {
                    let answer = try await visitor.get(path)
                    #expect(answer.status == 404 || answer.text.contains("class=\"verdict"), "\(path)")
                    #expect(!answer.text.contains("root:"))
                }
                let big = [UInt8](repeating: 97, count: 3 << 20)
                let type = ["content-type": "application/json"]
                #expect(try await visitor.send("POST", "/api/v1/runs", type, big).status == 413)
                #expect(try await visitor.get("/outbox?topic=" + String(repeating: "x", count: 9_000)).status == 414)
                let deep = Array((String(repeating: "[", count: 100_000)).utf8)
                #expect(try await visitor.send("POST", "/api/v1/runs", type, deep).status == 422)
                #expect(try await visitor.get("/").status == 200)
            }
        }
    }

    @Test func `only live pages are streamed`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                for page in ["/audit", "/keys", "/messages", "/live", "/search", "/nothing"] {
                    #expect(try await visitor.get("/live?page=\(page)").status == 404, "\(page)")
                }
            }
        }
    }

    @Test func `a value that is nested deep is shown at a bounded cost`() async throws {
        try await Shop.with(.sqlite) { shop in
            let elements = Array(repeating: "1", count: 20_000).joined(separator: ",")
            let deep = String(repeating: "[", count: 500) + elements + String(repeating: "]", count: 500)
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let token = try await visitor.get("/failures/1").text.formToken
                let page = try await visitor.submit("/failures/1/edit", [("csrf", token), ("payload", deep)])
                #expect(page.status == 200)
                #expect(page.text.utf8.count < 1 << 20, "\(page.text.utf8.count)")
            }
        }
    }

    @Test func `streams are bounded, and slow clients keep nobody out`() async throws {
        var settings = ConsoleSettings()
        settings.maxStreams = 5
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                let port = try #require(Int(visitor.address.split(separator: ":").last ?? ""))
                var slow: [any Channel] = []
                var statuses: [String] = []
                for _ in 0..<20 {
                    let (channel, status) = try await open(port, "GET /live?page=/ HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                    slow.append(channel)
                    statuses.append(status)
                }
                for _ in 0..<50 { slow.append(try await connect(port, "GET / HTTP/1.1\r\nhost: 127")) }
                #expect(statuses.filter { $0.contains(" 200 ") }.count == 5)
                #expect(statuses.filter { $0.contains(" 503 ") }.count == 15)
                #expect(try await visitor.get("/").status == 200)
                for channel in slow { try? await channel.close() }
            }
        }
    }

    private func connect(_ port: Int, _ text: String) async throws -> any Channel {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        return channel
    }

    /// Opens a connection, asks, and waits for the first line of the answer.
    private func open(_ port: Int, _ text: String) async throws -> (any Channel, String) {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { $0.pipeline.addHandler(FirstLine(promise)) }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        return (channel, try await promise.futureResult.get())
    }
}

/// Keeps the first line that a connection receives.
private final class FirstLine: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<String>

    init(_ promise: EventLoopPromise<String>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: unwrapInboundIn(data))
        promise.succeed(String(text.prefix { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }))
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed("") }
}
