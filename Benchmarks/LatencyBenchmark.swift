import Dionysus
import DionysusConsumer
import DionysusProducer
import Synchronization

extension Benchmark {
    /// How long a change takes to the broker at 500 changes a second.
    static let latency = Benchmark(
        name: "latency",
        figures: acknowledgementFigures,
        run: { try await latencies(changesPerSecond: 500, consumed: false).acknowledgement }
    )

    /// How long it takes to the replica, where the consumer shares the machine.
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

    /// The same at 100 changes a second, between which the relay waits and has to be woken.
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
    ///   - changesPerSecond: How many transactions of one row the writer commits.
    ///   - consumed: Whether a replica follows.
    /// - Returns: Of ten seconds, the median and the 99th percentile of each time.
    private static func latencies(
        changesPerSecond: Int,
        consumed: Bool
    ) async throws -> (acknowledgement: [Double], replica: [Double]) {
        let count = 10 * changesPerSecond
        return try await SourceFixture.with(rentals: 1_000) { fixture in
            try await withReplica { replica in
                try await withKafka { broker in
                    let times = Times(consumed: consumed)
                    // The mock cluster lets an empty fetch wait for its whole time, also when messages come.
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
                        // The group has been joined once a first change has arrived.
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

/// When changes were committed, acknowledged and applied.
private final class Times: Sendable {
    private struct Publication {
        let recordedAt: Timestamp
        let acknowledgedAt: Timestamp
    }

    private struct State {
        var commits: [Timestamp] = []
        /// By the ids of the events, as what follows.
        var publications: [String: Publication] = [:]
        var applied: [String: Timestamp] = [:]
    }

    private let state = Mutex(State())
    private let publications = Arrivals()
    private let applications = Arrivals()
    /// Whether what is published is also awaited in the replica.
    private let consumed: Bool

    init(consumed: Bool) { self.consumed = consumed }

    /// The writer's transaction has ended.
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

    /// Waits for so many more changes.
    func arrivals(of count: Int) async {
        await publications.wait(for: count)
        if consumed { await applications.wait(for: count) }
    }

    /// Of the time to the acknowledgement and of that to the replica, the median and the 99th percentile, without the
    /// change that waited for the group.
    ///
    /// There is one writer, so that changes were recorded in the order in which they were committed.
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
