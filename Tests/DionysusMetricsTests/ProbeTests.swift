import CoreMetrics
import Dionysus
import DionysusConsole
import DionysusHTTP
import DionysusHTTPClient
import DionysusHealth
import DionysusMetrics
import Hummingbird
import Logging
import TestSupport
import Testing

/// Probes and metrics over real connections.
struct ProbeTests {
    private let heartbeat = ProcessHeartbeat(.relay)

    private func whileProbing(
        metrics: MetricCollector? = MetricCollector(),
        token: String? = nil,
        host: String = "127.0.0.1",
        _ body: (String) async throws -> Void
    ) async throws {
        try await whileServing { [heartbeat] started in
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            return try MonitoringServer(
                host: host,
                port: 0,
                health: { heartbeat.report($0) },
                metrics: metrics,
                token: token,
                logger: logger,
                started: started
            )
        } _: { address in
            try await body(address)
        }
    }

    private func get(_ url: String, _ headers: [String: String] = [:]) async throws -> DionysusHTTP.HTTPResponse {
        try await NetworkTransport(nil).send(DionysusHTTP.HTTPRequest("GET", url, headers: headers))
    }

    private func json(_ response: DionysusHTTP.HTTPResponse) throws -> JSON { try JSON(parsing: response.body) }

    @Test func aServiceThatWorksIsReady() async throws {
        heartbeat.record(VitalSign(.ready))
        try await whileProbing { address in
            for question in ["live", "ready"] {
                let answer = try await get("\(address)/health/\(question)")
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(try json(answer)["status"] == .string("ok"))
                #expect(try json(answer)["reason"] == .null)
                #expect(try json(answer)["service"] == .string("relay"))
            }
        }
    }

    @Test func aServiceThatWaitsSaysWhatFor() async throws {
        heartbeat.record(VitalSign(.ready, problem: "the broker can't be reached"))
        try await whileProbing { address in
            #expect(try await get("\(address)/health/live").status == 200)
            let answer = try await get("\(address)/health/ready")
            #expect(answer.status == 503)
            #expect(try json(answer)["reason"] == .string("the broker can't be reached"))
        }
    }

    @Test(
        arguments: [
            (VitalSign.State.starting, "live", 200), (.starting, "ready", 503), (.stopping, "live", 200),
            (.stopping, "ready", 503), (.stopped, "live", 503), (.stopped, "ready", 503),
        ]
    )
    func eachStateHasItsAnswer(_ state: VitalSign.State, _ question: String, _ status: Int) async throws {
        heartbeat.record(VitalSign(state))
        try await whileProbing { address in
            let answer = try await get("\(address)/health/\(question)")
            #expect(answer.status == status)
        }
    }

    @Test func aServiceThatIsStuckIsNotLive() {
        heartbeat.record(VitalSign(.ready, problem: "a batch has been running", madeProgress: false))
        #expect(!heartbeat.report(.live, maxAge: .zero).isHealthy)
        heartbeat.record(VitalSign(.ready))
        #expect(heartbeat.report(.live, maxAge: .seconds(60)).isHealthy)
    }

    @Test func whoeverIsToldByTheServiceIsToldAsWell() {
        let outer = ProcessHeartbeat(.relay, passingOnTo: heartbeat)
        outer.record(VitalSign(.stopped))
        #expect(!heartbeat.report(.live).isHealthy)
    }

    @Test func metricsAreServedInBothFormats() async throws {
        let metrics = MetricCollector()
        Counter(label: "orders", factory: metrics).increment()
        try await whileProbing(metrics: metrics) { address in
            let plain = try await get("\(address)/metrics")
            #expect(plain.status == 200)
            #expect(plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(String(decoding: plain.body, as: UTF8.self).contains("orders_total 1\n"))
            let open = try await get("\(address)/metrics", ["accept": "application/openmetrics-text"])
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(String(decoding: open.body, as: UTF8.self).hasSuffix("# EOF\n"))
        }
    }

    @Test func whereNothingIsCollectedThereAreNoMetrics() async throws {
        try await whileProbing(metrics: nil) { address in
            let answer = try await get("\(address)/metrics")
            #expect(answer.status == 404)
        }
    }

    @Test func aTokenIsNeededForWhatTellsMore() async throws {
        heartbeat.record(VitalSign(.ready, problem: "no connection to 10.0.0.7"))
        try await whileProbing(token: "s3cret", host: "0.0.0.0") { address in
            for headers in [
                [:], ["authorization": "Bearer s3cre"], ["authorization": "Bearer s3crets"],
                ["authorization": "s3cret"],
            ] {
                let refused = try await get("\(address)/metrics", headers)
                #expect(refused.status == 401)
                #expect(refused.headers["www-authenticate"] == "Bearer")
                let probe = try await get("\(address)/health/ready", headers)
                #expect(probe.status == 503)
                #expect(try json(probe) == .object(["status": .string("unavailable")]))
            }
            let token = ["authorization": "Bearer s3cret"]
            #expect(try await get("\(address)/metrics", token).status == 200)
            #expect(
                try json(await get("\(address)/health/ready", token))["reason"] == .string("no connection to 10.0.0.7")
            )
        }
    }

    @Test(arguments: ["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com", ""])
    func nothingListensBeyondTheMachineWithoutAToken(_ host: String) {
        #expect(throws: DionysusError.self) { try MonitoringServer(host: host, port: 0) }
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    func theMachineItselfNeedsNoToken(_ host: String) throws { _ = try MonitoringServer(host: host, port: 0) }

    @Test func aPortThatIsTakenIsAnErrorThatSaysSo() async throws {
        try await whileProbing { address in
            let port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
            let error = await #expect(throws: DionysusError.self) { try await MonitoringServer(port: port).run() }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
    }

    @Test func anApplicationMountsTheRoutesInItsOwnRouter() async throws {
        let router = Router()
        MonitoringRoutes(health: { [heartbeat] in heartbeat.report($0) }).add(to: router.group("sync"))
        heartbeat.record(VitalSign(.ready))
        try await whileServing { started in
            Application(
                router: router,
                configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { channel in if let number = channel.localAddress?.port { started(number) } }
            )
        } _: { address in
            let answer = try await get("\(address)/sync/health/live")
            #expect(answer.status == 200)
        }
    }
}
