import Metrics
import Observability
import Testing

/// The example that sends metrics to StatsD or Datadog.
@Suite struct StatsDMetricsTests {
    @Test("each kind of metric is a line with its namespace and tags")
    func lines() async throws {
        let agent = try Listener(isDatagram: true)
        let factory = try StatsDMetrics(port: agent.port, namespace: "bookings")
        let topic = [("messaging.destination.name", "v3_rentals"), ("error.type", "a:b|c,d\ne")]
        Counter(label: "dionysus.relay.published", dimensions: topic, factory: factory).increment(by: 3)
        #expect(
            await agent.datagram()
                == "bookings.dionysus.relay.published:3|c|#messaging.destination.name:v3_rentals,error.type:a_b_c_d_e"
        )
        Gauge(label: "dionysus.outbox.pending", factory: factory).record(7)
        #expect(await agent.datagram() == "bookings.dionysus.outbox.pending:7|g")
        Timer(label: "dionysus.relay.stage.duration", dimensions: [("stage", "send")], factory: factory)
            .recordNanoseconds(2_500_000)
        #expect(await agent.datagram() == "bookings.dionysus.relay.stage.duration:2.5|ms|#stage:send")
        Recorder(label: "dionysus.relay.batch.size", factory: factory).record(2_000)
        #expect(await agent.datagram() == "bookings.dionysus.relay.batch.size:2000|h")
    }

    @Test("plain StatsD gets neither tags nor histograms, and no namespace unless set")
    func plain() async throws {
        let agent = try Listener(isDatagram: true)
        let factory = try StatsDMetrics(port: agent.port, tags: false)
        Counter(label: "published", dimensions: [("topic", "a")], factory: factory).increment()
        #expect(await agent.datagram() == "published:1|c")
        Recorder(label: "size", factory: factory).record(5)
        #expect(await agent.datagram() == "size:5|ms")
    }

    @Test("an agent that reads nothing blocks nothing; an invalid address is refused")
    func absent() throws {
        let agent = try Listener(isDatagram: true)
        let factory = try StatsDMetrics(port: agent.port)
        for _ in 1...100_000 { Counter(label: "published", factory: factory).increment() }
        let error = try #require(throws: StatsDError.self) { try StatsDMetrics(host: "agent.example.com") }
        #expect(error.description.contains("agent.example.com is no IPv4 address"))
    }
}
