import Dionysus
import DionysusProducer
import Logging

let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

extension Benchmark {
    /// Records per second from a backlog of 50,000 `rental_updated` in one topic.
    static let relay = Benchmark(
        name: "relay",
        figures: [
            Figure(
                name: "backlog of 50,000 rental_updated, one topic, one process",
                unit: "records/s",
                targets: [.atLeast(40_000), .atLeastOfFloor(0.6)]
            ),
            Figure(name: "floor: claim, load and mark alone, on one connection", unit: "records/s"),
            Figure(name: "floor: the same, on as many connections as the relay has workers", unit: "records/s"),
        ],
        run: { try await drainBacklog(ProducerSettings()) }
    )
}

/// The records per second that the relay publishes, and that its statements alone settle: on one connection, and on one
/// per worker.
func drainBacklog(_ settings: ProducerSettings) async throws -> [Double] {
    let records = 50_000
    return try await SourceFixture.with(rentals: records, settings: settings) { fixture in
        try await fixture.fillOutbox()
        let spent = try await withKafka { broker in
            try await ContinuousClock().measure { try await fixture.relay(to: broker) }
        }
        var rates = [Double(records) / seconds(spent)]
        for connections in [1, settings.workers] {
            try await fixture.fillOutbox()
            rates.append(Double(records) / seconds(try await RelayFloor(fixture, connections: connections).run()))
        }
        return rates
    }
}
