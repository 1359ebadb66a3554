import Dionysus
import DionysusConsumer
import DionysusProducer
import Synchronization

extension Benchmark {
    /// The latency from commit to broker at 500 changes a second.
    static let latency = Benchmark(
        name: "latency",
        figures: acknowledgementFigures,
        run: { try await latencies(changesPerSecond: 500, consumed: false).acknowledgement }
    )

    /// The latency to the replica, with the consumer on the same machine.
    static let latencyConsumed = Benchmark(
        name: "latency-consumed",
        figures: acknowledgementFigures + [
            Figure(name: "commit to replica, p50", unit: "ms", targets: [.atMost(15)]),
            Figure(name: "commit to replica, p99", unit: "ms", targets: [.atMost(60)]),
        ],
        run: {
            let times = try await latencies(changesPerSecond: 500, consumed: true)
            return times.acknowledgement + times.replica
        }
    )

    /// The same at 100 changes a second, between which the relay waits and must be woken.
    static let latencyAtRest = Benchmark(
        name: "latency-at-rest",
        figures: [
            Figure(name: "commit to acknowledgement at 100 changes/s, p50", unit: "ms"),
            Figure(name: "commit to acknowledgement, p99", unit: "ms"),
            Figure(name: "commit to replica, p50", unit: "ms"),
            Figure(name: "commit to replica, p99", unit: "ms"),
        ],
        run: {
            let times = try await latencies(changesPerSecond: 100, consumed: true)
            return times.acknowledgement + times.replica
        }
    )

    private static let acknowledgementFigures = [
        Figure(name: "commit to acknowledgement at 500 changes/s, p50", unit: "ms", targets: [.atMost(5)]),
        Figure(name: "commit to acknowledgement, p99", unit: "ms", targets: [.atMost(25)]),
    ]

    /// - Parameters:
    ///   - changesPerSecond: The writer's single-row transactions per second.
    ///   - consumed: Whether a replica follows.
    /// - Returns: The median and the 99th percentile of each latency over ten seconds.
    private static func latencies(
        changesPerSecond: Int,
        consumed: Bool
    ) async throws -> (acknowledgement: [Double], replica: [Double]) {
        let count = 10 * changesPerSecond
        return try await SourceFixture.with(rentals: 1_000) { fixture in
            try await withReplica { replica in
                try await withKafka { broker in
                    let times = Times(consumed: consumed)
                    // In the mock cluster an empty fetch waits for its whole timeout, even if messages arrive.
                    var settings = ConsumerSettings()
                    settings.brokerSettings = ["fetch.wait.max.ms": "5"]
                    let relay = RelayService(
                        fixture.registry,
                        database: fixture.database,
                        broker: broker,
                        settings: fixture.settings,
                        logger: quiet,
                        onPublished: times.published
                    )
                    let consumer = ConsumerService(
                        RentalMirror(onConsumed: times.consumed),
                        database: replica,
                        broker: broker,
                        settings: settings,
                        logger: quiet
                    )
                    let write = {
                        // The consumer has joined its group once a first change has arrived.
                        try await fixture.run("UPDATE rentals SET price = price + 1 WHERE id = 1")
                        times.committed()
                        await times.arrivals(of: 1)
                        let clock = ContinuousClock()
                        var due = clock.now
                        for number in 0..<count {
                            try await fixture.run(
                                "UPDATE rentals SET price = price + 1 WHERE id = \(1 + number % 1_000)"
                            )
                            times.committed()
                            due += .seconds(1) / changesPerSecond
                            try await clock.sleep(until: due)
                        }
                        await times.arrivals(of: count)
                    }
                    if consumed {
                        try await withServices(relay, consumer, body: write)
                    } else {
                        try await withServices(relay, body: write)
                    }
                    return times.percentiles
                }
            }
        }
    }
}

/// The times at which changes were committed, acknowledged and applied.
private final class Times: Sendable {
    private struct Publication {
        let recordedAt: Timestamp
        let acknowledgedAt: Timestamp
    }

    private struct State {
        var commits: [Timestamp] = []
        /// By event id, like the following.
        var publications: [String: Publication] = [:]
        var applied: [String: Timestamp] = [:]
    }

    private let state = Mutex(State())
    private let publications = Arrivals()
    private let applications = Arrivals()
    /// Whether to wait for the changes in the replica, too.
    private let consumed: Bool

    init(consumed: Bool) { self.consumed = consumed }

    /// Records a commit of the writer.
    func committed() { state.withLock { $0.commits.append(.now) } }

    func published(_ batch: PublishedBatch) {
        state.withLock { state in
            for change in batch.changes {
                state.publications[change.eventID] = Publication(
                    recordedAt: change.recordedAt,
                    acknowledgedAt: batch.acknowledgedAt
                )
            }
        }
        publications.add(batch.changes.count)
    }

    func consumed(_ event: ConsumedEvent) {
        guard let id = event.eventID else { return }
        state.withLock { $0.applied[id] = .now }
        applications.add(1)
    }

    /// Waits for a further number of changes.
    func arrivals(of count: Int) async {
        await publications.wait(for: count)
        if consumed { await applications.wait(for: count) }
    }

    /// The median and the 99th percentile of the latencies to acknowledgement and replica, without the change that
    /// waited for the group.
    ///
    /// There is only one writer, so changes were recorded in commit order.
    var percentiles: (acknowledgement: [Double], replica: [Double]) {
        state.withLock { state in
            let changes = state.publications.sorted { $0.value.recordedAt < $1.value.recordedAt }
            let times = zip(state.commits, changes).dropFirst()
            return (
                Self.percentiles(times.map { Self.milliseconds($0, $1.value.acknowledgedAt) }),
                Self.percentiles(
                    times.compactMap { commit, change in
                        state.applied[change.key].map { Self.milliseconds(commit, $0) }
                    }
                )
            )
        }
    }

    private static func percentiles(_ times: [Double]) -> [Double] {
        guard !times.isEmpty else { return [] }
        let sorted = times.sorted()
        return [sorted[sorted.count / 2], sorted[sorted.count * 99 / 100]]
    }

    private static func milliseconds(_ start: Timestamp, _ end: Timestamp) -> Double {
        Double(end.microseconds - start.microseconds) / 1_000
    }
}
