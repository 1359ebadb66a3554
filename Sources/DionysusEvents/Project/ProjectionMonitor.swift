public import Dionysus
public import Logging
public import ServiceLifecycle
import Synchronization

/// Reports how far the projections of a database are, as metrics.
///
/// Run it once, beside the relay or the consumer:
///
///     func relayServices(_ source: any CapturingDatabase) -> [any Service] {
///         [EventOrdering(source), ProjectionMonitor(source)]
///     }
public struct ProjectionMonitor: Service {
    private let database: any Database
    private let pollInterval: Duration
    private let logger: Logger
    private let metrics: MetricTable
    private let rebuilt = RebuiltProjections()

    /// Creates the service.
    /// - Parameters:
    ///   - database: The database with the streams and the projections.
    ///   - pollInterval: How often it looks. Default 10 s.
    ///   - instrumentation: Where the metrics go. The process's by default.
    ///   - logger: Logs that the database is unavailable.
    public init(
        _ database: any Database,
        pollInterval: Duration = .seconds(10),
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.events")
    ) {
        self.database = database
        self.pollInterval = pollInterval
        self.logger = logger
        metrics = MetricTable(instrumentation.effectiveMetricsFactory)
    }

    /// Reports until the service is shut down; does nothing without a metrics backend.
    /// - Throws: What is not passing: ``/Dionysus/DionysusError`` that is not retriable.
    public func run() async throws {
        try await repeating(every: pollInterval, logger, "projections are not measured") {
            if metrics.isEnabled { try await report() }
            return false
        }
    }

    /// Reports once.
    package func report() async throws {
        let list = try await ProjectionStatus.all(on: database)
        for status in list {
            let dimension: MetricTable.Dimension = (TelemetryName.projection, status.name)
            metrics.set(Double(status.lag), TelemetryName.projectionLagEvents, [dimension])
            metrics.set(status.lagSeconds, TelemetryName.projectionLagAge, [dimension])
            guard let rebuild = status.rebuild else { continue }
            metrics.set(Double(status.last - rebuild.position), TelemetryName.rebuildRemaining, [dimension])
        }
        for name in rebuilt.replace(by: list.filter { $0.rebuild != nil }.map(\.name)) {
            metrics.removeGauge(TelemetryName.rebuildRemaining, [(TelemetryName.projection, name)])
        }
    }
}

/// The projections that were being rebuilt at the last look.
private final class RebuiltProjections: Sendable {
    private let names = Mutex<Set<String>>([])

    /// - Returns: Those that are not rebuilt any more.
    func replace(by current: [String]) -> Set<String> {
        names.withLock { names in
            let ended = names.subtracting(current)
            names = Set(current)
            return ended
        }
    }
}
