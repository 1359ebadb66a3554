import Dionysus
import DionysusProducer
import Dispatch
import ServiceLifecycle

extension Benchmark {
    /// Whether a relay becomes slower while a transaction holds its snapshot and changes go on.
    /// - Parameter minutes: How long.
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
                        let start = try await fixture.drains(to: broker, afterRental: 0)
                        try await fixture.change(for: .seconds(minutes * 60), besideRelayTo: broker)
                        let end = try await fixture.drains(to: broker, afterRental: 100_000)
                        reader.end()
                        return [start.median, end.median, start.median / end.median]
                    }
                }
            }
        )
    }
}

/// A transaction that reads one snapshot until it is told to end.
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
    /// How many records a second a relay publishes, several times.
    ///
    /// Each time they are other records: the reader keeps all versions of a row, and reading through those of the
    /// application's own tables is not what is measured.
    fileprivate func drains(to broker: any MessageBroker, afterRental last: Int) async throws -> [Double] {
        let count = 14_000
        var rates: [Double] = []
        for round in 0..<7 {
            let first = last + round * count + 1
            try await run(
                """
                UPDATE rentals SET price = price + 1, updated_at = clock_timestamp()
                WHERE id BETWEEN \(first) AND \(first + count - 1)
                """
            )
            try await database.outsideTransaction("CHECKPOINT")
            let spent = try await ContinuousClock().measure { try await relay(to: broker) }
            rates.append(Double(count) / seconds(spent))
        }
        return rates
    }

    /// Makes a thousand changes a second, ten in a transaction, beside a relay that publishes them.
    fileprivate func change(for duration: Duration, besideRelayTo broker: any MessageBroker) async throws {
        let relay = RelayService(registry, database: database, broker: broker, settings: settings, logger: quiet)
        let group = ServiceGroup(configuration: .init(services: [.init(service: relay)], logger: quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let clock = ContinuousClock()
            let end = clock.now + duration
            var due = clock.now
            var first = 1
            while due < end {
                try await run(
                    """
                    UPDATE rentals SET price = price + 1, updated_at = clock_timestamp()
                    WHERE id BETWEEN \(first) AND \(first + 9)
                    """
                )
                first = first > 199_980 ? 1 : first + 10
                due += .milliseconds(10)
                try await clock.sleep(until: due)
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        try await self.relay(to: broker)
    }
}
