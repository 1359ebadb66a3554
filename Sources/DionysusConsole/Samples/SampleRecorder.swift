public import CoreMetrics
import Dionysus
public import DionysusHealth
public import Logging
public import ServiceLifecycle

import class Foundation.ProcessInfo

/// Writes figures of a process to its database every ten seconds, so that any console shows all processes.
///
///     let recorder = SampleRecorder(.relay, tables: ConsoleTables(source: database), version: "1.2")
///     instrumentation.metricsFactory = MultiplexMetricsHandler(factories: [recorder.metricsFactory, others])
///
/// A process has at most 8,640 of them, for 24 hours. What can't be written is left out: a service never waits for it.
public struct SampleRecorder: Service {
    /// The time between two samples, in seconds.
    package static let interval: Int64 = 10
    /// How long samples are kept, in seconds.
    static let retention: Int64 = 24 * 3600

    private let figures = SampleFigures()
    private let role: ServiceRole
    private let tables: ConsoleTables
    private let version: String
    private let logger: Logger
    private let started = Timestamp.now

    /// Creates a recorder.
    /// - Parameters:
    ///   - role: What kind of service the process is.
    ///   - tables: Where samples are written; they may be missing.
    ///   - version: The application's version.
    ///   - logger: Logs once what keeps samples from being written.
    public init(
        _ role: ServiceRole,
        tables: ConsoleTables,
        version: String,
        logger: Logger = Logger(label: "dionysus.samples")
    ) {
        self.role = role
        self.tables = tables
        self.version = version
        self.logger = logger
    }

    /// What the service has to report its metrics to.
    public var metricsFactory: any MetricsFactory { figures }

    public func run() async throws {
        let process = "\(role.rawValue) \(ProcessUsage.hostName):\(ProcessInfo.processInfo.processIdentifier)"
        await cancelWhenGracefulShutdown { await record(process) }
    }

    private func record(_ process: String) async {
        var isWriting = true
        while !Task.isCancelled {
            let now = Timestamp.now.microseconds / 1_000_000
            let next = (now / Self.interval + 1) * Self.interval
            guard (try? await Task.sleep(for: .seconds(next - now))) != nil else { return }
            do {
                try await write(at: next, process)
                isWriting = true
            } catch {
                if isWriting { logger.notice("figures for the console can't be written: \(error)") }
                isWriting = false
            }
        }
    }

    /// Writes one sample of what has been counted since the last one.
    package func write(at tick: Int64, _ process: String) async throws {
        try await write(figures.take(), at: tick, process)
    }

    private func write(_ figures: SampleFigures.Figures, at tick: Int64, _ process: String) async throws {
        let usage = ProcessUsage.now
        let topics = JSON.object(
            JSON.Object(figures.topics.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) })
        )
        let lag = figures.lags.isEmpty ? nil : figures.lags.values.reduce(0, +)
        let (backlog, age) = (figures.pending ?? lag, figures.oldestAge ?? figures.lagAges.values.max())
        try await tables.database.transaction(.write) { [self] transaction in
            guard try tables.exist(in: &transaction) else { return }
            try transaction.run(
                """
                INSERT INTO \(tables.samples) (process, tick, role, version, started, handled, failures,
                  latency_average_us, latency_longest_us, backlog, age_us, resident_bytes, cpu_ms, topics)
                VALUES (\(process), \(tick), \(role.rawValue), \(version), \(started.microseconds / 1_000_000),
                  \(figures.handled), \(figures.failures), \(Self.microseconds(figures.latencyAverage)),
                  \(Self.microseconds(figures.latencyLongest)), \(Self.whole(backlog)), \(Self.microseconds(age)),
                  \(usage.residentBytes), \(usage.processorMilliseconds), \(topics.text))
                ON CONFLICT (process, tick) DO NOTHING
                """
            )
            // Every process removes what is old of all, so that none of those that ended stays.
            guard tick / Self.interval % 30 == 0 else { return }
            try transaction.run("DELETE FROM \(tables.samples) WHERE tick < \(tick - Self.retention)")
        }
    }

    private static func microseconds(_ seconds: Double?) -> Int64? { whole(seconds.map { $0 * 1_000_000 }) }

    private static func whole(_ value: Double?) -> Int64? { value.flatMap { Int64(exactly: $0.rounded()) } }
}
