import Dionysus
import DionysusProducer
import Dispatch

extension Benchmark {
    /// Whether a relay becomes slower while a transaction holds its snapshot and changes continue.
    /// - Parameter minutes: How long the snapshot is held.
    static func snapshotHeld(minutes: Double) -> Benchmark {
        Benchmark(
            name: "snapshot-held",
            figures: [
                Figure(name: "relay, 14,000 rental_updated, as a REPEATABLE READ reader begins", unit: "records/s"),
                Figure(
                    name: "the same after \(minutes.formatted()) min of 1,000 changes/s, the reader still open",
                    unit: "records/s"
                ),
                Figure(name: "time at the end, by the time at the start", unit: "times", targets: [.atMost(1.1)]),
            ],
            isLong: true,
            run: {
                try await SourceFixture.with(rentals: 200_000) { fixture in
                    try await withKafka { broker in
                        let reader = try await Reader(of: fixture)
                        defer { reader.end() }
                        return try await fixture.withRelay(to: broker) { published in
                            let start = try await fixture.drains(published, afterRental: 0)
                            let count = try await fixture.change(for: .seconds(minutes * 60))
                            await published.wait(for: count)
                            let end = try await fixture.drains(published, afterRental: 100_000)
                            return [start.median, end.median, start.median / end.median]
                        }
                    }
                }
            }
        )
    }
}

/// A transaction that holds one snapshot until it is stopped.
struct Reader {
    private let isOver = DispatchSemaphore(value: 0)

    /// Returns once it has its snapshot.
    init(of fixture: SourceFixture) async throws {
        let (opened, open) = AsyncStream.makeStream(of: Void.self)
        Task { [isOver] in
            defer { open.finish() }
            try await fixture.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT count(*) FROM rentals")
                open.finish()
                isOver.wait()
            }
        }
        for await _ in opened {}
    }

    func end() { isOver.signal() }
}

extension SourceFixture {
    /// Runs a relay while a body runs.
    fileprivate func withRelay(
        to broker: any MessageBroker,
        _ body: (Arrivals) async throws -> [Double]
    ) async throws -> [Double] {
        let published = Arrivals()
        let relay = RelayService(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            logger: quiet,
            onPublished: { published.add($0.changes.count) }
        )
        return try await withServices(relay) { try await body(published) }
    }

    /// Measures the records per second that the relay publishes, several times.
    ///
    /// It uses different records each time: the reader retains all versions of a row, and scanning those of the
    /// application's tables is not part of the measurement.
    fileprivate func drains(_ published: Arrivals, afterRental last: Int) async throws -> [Double] {
        let count = 14_000
        var rates: [Double] = []
        for round in 0..<7 {
            let first = last + round * count + 1
            try await database.outsideTransaction("CHECKPOINT")
            try await run(
                """
                UPDATE rentals SET price = price + 1, updated_at = clock_timestamp()
                WHERE id BETWEEN \(first) AND \(first + count - 1)
                """
            )
            let spent = await ContinuousClock().measure { await published.wait(for: count) }
            rates.append(Double(count) / seconds(spent))
        }
        return rates
    }

    /// Makes a thousand changes a second, ten in a transaction.
    /// - Returns: The number of changes.
    fileprivate func change(for duration: Duration) async throws -> Int {
        let clock = ContinuousClock()
        let end = clock.now + duration
        var due = clock.now
        var (count, first) = (0, 1)
        while due < end {
            try await run(
                """
                UPDATE rentals SET price = price + 1, updated_at = clock_timestamp()
                WHERE id BETWEEN \(first) AND \(first + 9)
                """
            )
            count += 10
            first = first > 99_980 ? 1 : first + 10
            due += .milliseconds(10)
            try await clock.sleep(until: due)
        }
        return count
    }
}
