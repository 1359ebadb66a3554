import Dionysus
import DionysusProducer
import Synchronization

extension Benchmark {
    /// The relay's cost of an open transaction that prevents the removal of dead rows.
    static let snapshot = Benchmark(
        name: "snapshot",
        figures: [
            Figure(
                name: "relay, 50,000 of 200,000 rentals, after the others were published, all rows kept",
                unit: "records/s"
            ),
            Figure(name: "the same beside a transaction that has an old snapshot for all this time", unit: "records/s"),
        ],
        run: {
            let without = try await lastOfFour(besideOldSnapshot: false)
            return [without, try await lastOfFour(besideOldSnapshot: true)]
        }
    )

    /// Records per second when all existing records are published again.
    static let genesis = Benchmark(
        name: "genesis",
        figures: [
            Figure(
                name: "run over 50,000 rentals, from its start to its last message",
                unit: "records/s",
                targets: [.atLeast(40_000)]
            )
        ],
        run: {
            let records = 50_000
            return try await SourceFixture.with(rentals: records) { fixture in
                let genesis = Genesis(
                    database: fixture.database,
                    registry: fixture.registry,
                    settings: fixture.settings
                )
                let start = Timestamp.now
                let last = Mutex(start)
                try await withKafka { broker in
                    _ = try await genesis.start(topic: "v3_rentals", model: "Rental")
                    try await fixture.relay(to: broker) { batch in
                        last.withLock { $0 = max($0, batch.acknowledgedAt) }
                    }
                }
                return [Double(records) / (Double(last.withLock { $0 }.microseconds - start.microseconds) / 1_000_000)]
            }
        }
    )
}

private func lastOfFour(besideOldSnapshot isOpen: Bool) async throws -> Double {
    let records = 50_000
    return try await SourceFixture.with(rentals: 4 * records) { fixture in
        let reader = isOpen ? try await Reader(of: fixture) : nil
        var last = Duration.zero
        for round in 1...4 {
            let (first, until) = ((round - 1) * records + 1, round * records)
            try await fixture.run(
                "UPDATE rentals SET price = price + 1, updated_at = clock_timestamp() WHERE id BETWEEN \(first) AND \(until)"
            )
            try await fixture.database.outsideTransaction("CHECKPOINT")
            last = try await withKafka { broker in
                try await ContinuousClock().measure { try await fixture.relay(to: broker) }
            }
        }
        reader?.end()
        return Double(records) / seconds(last)
    }
}
