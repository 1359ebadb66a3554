import Foundation
import TestSupport
import Testing

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// What a relay and a consumer serve over HTTP.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct MonitoringTests {
    @Test(
        "a service tells on its port how it is, and what it has done",
        arguments: [
            ("relay", "relay", "dionysus_relay_lanes_active"), ("consume", "consumer", "dionysus_consumer_batch_size"),
        ]
    )
    func port(_ command: String, _ role: String, _ metric: String) async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed", "--accounts", "1", "--rentals", "3", "--bookings", "6")
            if command == "consume" { try await installation.succeed("relay", "--until-empty") }
            let process = try installation.start(command, "--http-port", "0")
            let address = try await Self.address(of: process)
            let ready = try await Self.wait("\(address)/health/ready") { $0.status == 200 }
            #expect(ready.body.contains(#""status":"ok""#) && ready.body.contains(#""service":"\#(role)""#))
            #expect(try await Self.get("\(address)/health/live").status == 200)
            let metrics = try await Self.wait("\(address)/metrics") { $0.body.contains("\n\(metric)") }
            #expect(metrics.status == 200)
            #expect(metrics.body.contains(#"service_name="rentals""#))
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a relay that waits for its database says so on its port")
    func databaseAway() async throws {
        try await Installation.with(.embedded) { installation in
            var away = installation
            away.environment["SOURCE_DATABASE_URL"] = "postgres://somebody:hush@127.0.0.1:1/shop"
            away.environment["DIONYSUS_HTTP_PORT"] = "0"
            let process = try away.start("relay")
            let address = try await Self.address(of: process)
            let answer = try await Self.wait("\(address)/health/ready") { $0.body.contains("prepare the relay") }
            #expect(answer.status == 503)
            #expect(!answer.body.contains("hush"))
            #expect(try await Self.get("\(address)/health/live").status == 200)
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a port that others can reach needs a token, and one that is taken is named")
    func refusals() async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.succeed("migrate")
            let open = try await installation.run("relay", "--http-port", "0", "--http-host", "0.0.0.0")
            #expect(open.status == 1)
            #expect(open.errors.contains("DIONYSUS_HTTP_TOKEN"), "\(open.errors)")
            let process = try installation.start("relay", "--http-port", "0")
            let port = try #require(try await Self.address(of: process).split(separator: ":").last)
            let taken = try await installation.run("relay", "--http-port", String(port))
            #expect(taken.status == 1)
            #expect(taken.errors.contains("127.0.0.1:\(port) can't be listened on"), "\(taken.errors)")
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a collector that is away keeps nobody from ending, and a variable that is wrong is named")
    func collectorAway() async throws {
        try await Installation.with(.embedded) { installation in
            var sending = installation
            sending.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
            sending.environment["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=hush"
            sending.environment["OTEL_TRACES_SAMPLER"] = "sometimes"
            sending.environment["OTEL_BSP_EXPORT_TIMEOUT"] = "10"
            try await sending.succeed("migrate")
            let result = try await sending.run("relay", "--until-empty")
            #expect(result.status == 0)
            #expect(result.errors.contains("OTEL_TRACES_SAMPLER has to be always_on"), "\(result.errors)")
            #expect(result.errors.contains("could not be sent to the collector"), "\(result.errors)")
            #expect(!result.errors.contains("hush"))
        }
    }

    private struct Answer {
        let status: Int
        let body: String
    }

    /// Where a service says that it serves.
    private static func address(of process: RunningProcess) async throws -> String {
        while process.isRunning {
            if let match = process.errors.firstMatch(of: #/are served on (127\.0\.0\.1:\d+)/#) {
                return "http://\(match.1)"
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CancellationError()
    }

    private static func get(_ url: String) async throws -> Answer {
        let (data, response) = try await URLSession.shared.data(from: #require(URL(string: url)))
        let status = try #require(response as? HTTPURLResponse).statusCode
        return Answer(status: status, body: String(decoding: data, as: UTF8.self))
    }

    private static func wait(_ url: String, _ condition: (Answer) -> Bool) async throws -> Answer {
        while true {
            let answer = try await get(url)
            if condition(answer) { return answer }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
