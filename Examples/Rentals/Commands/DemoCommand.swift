import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusProducer
import ServiceLifecycle
import Synchronization

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Runs everything in one process, shows it, and verifies that the replica equals the source.",
        discussion: "Ctrl-C ends the traffic early; the verification still follows."
    )

    @Option(help: "How long the traffic runs, in seconds.") var seconds = 20
    @Option(help: "Changes per second.") var rate = 200

    func validate() throws {
        guard seconds > 0, rate > 0 else { throw ValidationError("--seconds and --rate must be positive.") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<RentalsApplication>()
        let (source, replica) = (try environment.source(), try environment.replica())
        let broker = try environment.broker()
        print("source   \(source.location)\nreplica  \(replica.location)\nbroker   \(broker.location)\n")
        try await environment.migrate()
        print("seeding, and replicating what was seeded")
        try await Seeder(SeedOptions.parse([])).run(source)
        try await drain(environment, source, replica, broker)

        print("changing \(rate) records a second")
        let statistics = DemoStatistics()
        let mirror = RentalMirror(onConsumed: statistics.consumed)
        let relay = environment.relayService(source, broker, onPublished: statistics.published)
        let consume = environment.consumerService(mirror, replica, broker)
        let traffic = TrafficService(source: source, rate: rate, duration: .seconds(seconds), seed: 1)
        let progress = DemoProgress(statistics: statistics, traffic: traffic)
        try await environment.run(traffic, relay, consume, progress)

        print("\nthe traffic has ended; replicating the rest")
        try await drain(environment, source, replica, broker, mirror, statistics)
        let report = try await Comparison.run(source: source, replica: replica)
        await broker.close()
        await source.close()
        await replica.close()

        print(statistics.summary(changes: traffic.made))
        print("\n\(report.text)")
        guard report.isEqual else {
            throw DionysusError(.conflict, "the replica differs from the source in \(report.differences) records")
        }
    }
}

extension DemoCommand {
    /// Publishes and applies everything.
    private func drain(
        _ environment: ApplicationEnvironment<RentalsApplication>,
        _ source: any CapturingDatabase,
        _ replica: any CapturingDatabase,
        _ broker: any MessageBroker,
        _ mirror: RentalMirror = RentalMirror(),
        _ statistics: DemoStatistics = DemoStatistics()
    ) async throws {
        try await environment.relayService(source, broker, mode: .untilEmpty, onPublished: statistics.published).run()
        try await environment.consumerService(mirror, replica, broker, stopsWhenCaughtUp: true).run()
    }
}

/// Prints a line a second.
struct DemoProgress: Service {
    let statistics: DemoStatistics
    let traffic: TrafficService

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: .seconds(1)) } catch { return }
                print("changes \(traffic.made)  \(statistics.line)")
            }
        }
    }
}

/// The demo's counters and latencies.
final class DemoStatistics: Sendable {
    fileprivate struct State {
        var published = 0
        var applied = 0
        var recordedAt: [String: Timestamp] = [:]
        var appliedAt: [String: Timestamp] = [:]
        var latencies: [Double] = []
    }

    private let state = Mutex(State())

    func published(_ batch: PublishedBatch) {
        state.withLock { state in
            state.published += batch.changes.count
            for change in batch.changes {
                // The replica may have it before the relay receives the acknowledgement.
                if let applied = state.appliedAt.removeValue(forKey: change.eventID) {
                    state.latencies.append(Self.milliseconds(from: change.recordedAt, to: applied))
                } else {
                    state.recordedAt[change.eventID] = change.recordedAt
                }
            }
        }
    }

    func consumed(_ event: ConsumedEvent) {
        let now = Timestamp.now
        state.withLock { state in
            state.applied += 1
            guard let id = event.eventID else { return }
            if let recorded = state.recordedAt.removeValue(forKey: id) {
                state.latencies.append(Self.milliseconds(from: recorded, to: now))
            } else {
                state.appliedAt[id] = now
            }
        }
    }

    private static func milliseconds(from start: Timestamp, to end: Timestamp) -> Double {
        Double(end.microseconds - start.microseconds) / 1_000
    }

    var line: String {
        state.withLock { state in "published \(state.published)  applied \(state.applied)  \(state.percentiles)" }
    }

    func summary(changes: Int) -> String {
        state.withLock { state in
            """
            changes    \(changes)
            published  \(state.published) messages
            applied    \(state.applied) events
            latency    \(state.percentiles) from commit to replica
            """
        }
    }
}

extension DemoStatistics.State {
    fileprivate var percentiles: String {
        let sorted = latencies.sorted()
        guard let last = sorted.last else { return "p50 –  p99 –" }
        func percentile(_ share: Double) -> Int {
            Int(
                sorted.indices.contains(Int(Double(sorted.count) * share))
                    ? sorted[Int(Double(sorted.count) * share)] : last
            )
        }
        return "p50 \(percentile(0.5)) ms  p99 \(percentile(0.99)) ms"
    }
}
