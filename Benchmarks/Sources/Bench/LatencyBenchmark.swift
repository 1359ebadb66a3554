import Dionysus
import DionysusConsumer
import DionysusProducer
import ServiceLifecycle
import Synchronization

extension Benchmark {
    /// How long a change takes at 500 changes a second, which keep the machine busy.
    static let latency = latency(
        "latency",
        changesPerSecond: 500,
        acknowledgement: [[.atMost(5)], [.atMost(25)]],
        replica: [[.atMost(15)], [.atMost(60)]]
    )

    /// The same where the relay waits between changes, and has to be woken.
    static let latencyAtRest = latency("latency-at-rest", changesPerSecond: 100)

    private static func latency(
        _ name: String,
        changesPerSecond: Int,
        acknowledgement: [[Target]] = [[], []],
        replica: [[Target]] = [[], []]
    ) -> Benchmark {
        Benchmark(
            name: name,
            figures: [
                Figure(
                    name: "commit to acknowledgement at \(changesPerSecond) changes/s, p50",
                    unit: "ms",
                    targets: acknowledgement[0]
                ),
                Figure(name: "commit to acknowledgement, p99", unit: "ms", targets: acknowledgement[1]),
                Figure(name: "commit to replica, p50", unit: "ms", targets: replica[0]),
                Figure(name: "commit to replica, p99", unit: "ms", targets: replica[1]),
            ],
            run: { try await latencies(changesPerSecond: changesPerSecond, count: 10 * changesPerSecond) }
        )
    }

    private static func latencies(changesPerSecond: Int, count: Int) async throws -> [Double] {
        try await SourceFixture.with(rentals: 1_000) { fixture in
            try await withReplica { replica in
                try await withKafka { broker in
                    let times = Times()
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
                    let group = ServiceGroup(
                        configuration: .init(
                            services: [.init(service: relay), .init(service: consumer)],
                            logger: quiet
                        )
                    )
                    return try await withThrowingTaskGroup(of: Void.self) { tasks in
                        tasks.addTask { try await group.run() }
                        // The group has been joined once a first change has arrived.
                        try await fixture.run("UPDATE rentals SET price = price + 1 WHERE id = 1")
                        await times.firstArrival()
                        let clock = ContinuousClock()
                        var due = clock.now
                        for number in 0..<count {
                            try await fixture.run(
                                "UPDATE rentals SET price = price + 1 WHERE id = \(1 + number % 1_000)"
                            )
                            due += .seconds(1) / changesPerSecond
                            try await clock.sleep(until: due)
                        }
                        await times.arrivals(atLeast: count + 1)
                        await group.triggerGracefulShutdown()
                        try await tasks.waitForAll()
                        return times.percentiles
                    }
                }
            }
        }
    }
}

/// When changes were recorded, acknowledged and applied.
private final class Times: Sendable {
    private struct State {
        var recorded: [String: Timestamp] = [:]
        var applied: [String: Timestamp] = [:]
        var acknowledgement: [Double] = []
        var replica: [Double] = []
        var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

        mutating func arrived() -> [CheckedContinuation<Void, Never>] {
            let ready = waiting.filter { $0.count <= replica.count }
            waiting.removeAll { $0.count <= replica.count }
            return ready.map(\.continuation)
        }
    }

    private let state = Mutex(State())

    func published(_ batch: PublishedBatch) {
        let ready = state.withLock { state in
            for change in batch.changes {
                state.acknowledgement.append(Self.milliseconds(change.recordedAt, batch.acknowledgedAt))
                if let applied = state.applied.removeValue(forKey: change.eventID) {
                    state.replica.append(Self.milliseconds(change.recordedAt, applied))
                } else {
                    state.recorded[change.eventID] = change.recordedAt
                }
            }
            return state.arrived()
        }
        for continuation in ready { continuation.resume() }
    }

    func consumed(_ event: ConsumedEvent) {
        guard let id = event.eventID else { return }
        let now = Timestamp.now
        let ready = state.withLock { state in
            if let recorded = state.recorded.removeValue(forKey: id) {
                state.replica.append(Self.milliseconds(recorded, now))
            } else {
                state.applied[id] = now
            }
            return state.arrived()
        }
        for continuation in ready { continuation.resume() }
    }

    private static func milliseconds(_ start: Timestamp, _ end: Timestamp) -> Double {
        Double(end.microseconds - start.microseconds) / 1_000
    }

    func firstArrival() async { await arrivals(atLeast: 1) }

    func arrivals(atLeast count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.replica.count < count else { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Of both, the median and the 99th percentile, without the change that waited for the group.
    var percentiles: [Double] {
        state.withLock { state in
            [state.acknowledgement, state.replica]
                .flatMap { times -> [Double] in
                    let sorted = times.dropFirst().sorted()
                    guard !sorted.isEmpty else { return [0, 0] }
                    return [sorted[sorted.count / 2], sorted[sorted.count * 99 / 100]]
                }
        }
    }
}
