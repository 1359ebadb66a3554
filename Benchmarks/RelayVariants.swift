import Dionysus
import DionysusKafka
import DionysusProducer
import DionysusSQLite
import DionysusSchemas

// The relay's backlog under other conditions.

private let records = 50_000

extension Benchmark {
    /// The messages hold records in Avro and not envelopes in JSON.
    static let relayAvro = Benchmark(
        name: "relay-avro",
        figures: [
            Figure(
                name: "the backlog of relay, as records in Avro",
                unit: "records/s",
                targets: [.atLeast(40_000)]
            )
        ],
        run: {
            // Without a registry, which would be asked once and name the schema in fewer bytes.
            let encoding = TopicEncoding.record(.avro(framing: .singleObject))
            return try await SourceFixture.with(rentals: records, encoding: encoding) { fixture in
                try await fixture.fillOutbox()
                let spent = try await withKafka { broker in
                    try await ContinuousClock().measure { try await fixture.relay(to: broker) }
                }
                return [Double(records) / seconds(spent)]
            }
        }
    )

    /// Rows are deleted when they are published.
    static let relayDeleted = Benchmark(
        name: "relay-deleted",
        figures: [
            Figure(
                name: "the backlog of relay, rows deleted when published",
                unit: "records/s",
                targets: [.atLeast(60_000)]
            ),
            Figure(name: "floor: claim, load and delete alone, on one connection", unit: "records/s"),
            Figure(name: "floor: the same, on as many connections as the relay has workers", unit: "records/s"),
        ],
        run: {
            var settings = ProducerSettings()
            settings.deletesPublishedRows = true
            return try await drainBacklog(settings)
        }
    )

    /// The broker is far away.
    static let relayRoundTrip = Benchmark(
        name: "relay-rtt",
        figures: [
            Figure(
                name: "the backlog of relay, each answer of the broker 20 ms late",
                unit: "records/s",
                targets: [.atLeast(30_000)]
            )
        ],
        run: {
            try await SourceFixture.with(rentals: records) { fixture in
                try await fixture.fillOutbox()
                return try await withKafkaServers(roundTrip: .milliseconds(20)) { servers in
                    let broker = try KafkaBroker(bootstrapServers: servers)
                    let spent = try await ContinuousClock().measure { try await fixture.relay(to: broker) }
                    await broker.close()
                    return [Double(records) / seconds(spent)]
                }
            }
        }
    )

    /// No server at all.
    static let relaySQLite = Benchmark(
        name: "relay-sqlite",
        figures: [
            Figure(
                name: "the backlog of relay, from SQLite to the embedded log",
                unit: "records/s",
                targets: [.atLeast(60_000)]
            ),
            Figure(name: "floor: claim, load and mark alone", unit: "records/s"),
        ],
        run: {
            try await SQLiteFixture.with(rentals: records) { fixture in
                try await fixture.fillOutbox()
                let spent = try await withEmbeddedLog { broker in
                    try await ContinuousClock().measure { try await fixture.relay(to: broker) }
                }
                try await fixture.fillOutbox()
                let floor = try await RelayFloor(fixture.database, batchSize: fixture.settings.batchSize).run()
                return [Double(records) / seconds(spent), Double(records) / seconds(floor)]
            }
        }
    )
}
