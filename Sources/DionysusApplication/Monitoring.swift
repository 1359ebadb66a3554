import ArgumentParser
import Dionysus
import DionysusHealth
import Logging
import ServiceLifecycle

#if Monitoring
import DionysusConsole
import DionysusMetrics
import Metrics
import Tracing

import class Foundation.ProcessInfo
#endif

/// Where a service is to serve probes and metrics.
struct MonitoringOptions: ParsableArguments {
    @Option(help: "Serve /health/live, /health/ready and /metrics on this port; 0 for one that is free.")
    var httpPort: Int?
    @Option(help: "The address to serve them on; beyond this machine only with DIONYSUS_HTTP_TOKEN.")
    var httpHost: String?
}

/// What watches a service, and runs beside it.
struct Monitoring {
    /// Who the service tells that it lives.
    let heartbeat: (any Heartbeat)?
    /// What has to run as long as the service does, and to end after it.
    let services: [any Service]
}

#if Monitoring
extension ApplicationEnvironment {
    /// Prepares what watches a service: its heartbeat, telemetry by OpenTelemetry's variables, and the port.
    ///
    /// The application's own metrics, tracer and log handlers stay; where it has none, the process is given these.
    /// - Parameters:
    ///   - role: What kind of service it is.
    ///   - options: Where probes and metrics are served.
    ///   - heartbeat: A heartbeat that the service keeps with or without a port.
    ///   - database: The service's database, which gets its figures.
    /// - Returns: What has to run beside the service.
    /// - Throws: `DionysusError` with code `configuration` for an address that can't be listened on without a token.
    mutating func monitor(
        _ role: ServiceRole,
        _ options: MonitoringOptions,
        _ heartbeat: (any Heartbeat)?,
        of database: any CapturingDatabase
    ) throws -> Monitoring {
        let port = options.httpPort ?? settings.http.port
        let telemetry = try telemetry(isScraped: port != nil)
        // A process that ends by itself is no service whose figures anybody follows.
        let recorder = heartbeat != nil && settings.console.recordsSamples ? recorder(role, database) : nil
        let services: [any Service] = (telemetry.map { [$0] } ?? []) + (recorder.map { [$0] } ?? [])
        guard let port else { return Monitoring(heartbeat: heartbeat, services: services) }
        let own = ProcessHeartbeat(role, passingOnTo: heartbeat)
        let host = options.httpHost ?? settings.http.host
        let server = try MonitoringServer(
            host: host,
            port: port,
            health: { own.report($0) },
            metrics: telemetry?.metrics,
            token: settings.http.token,
            logger: logger,
            started: { [logger] port in
                logger.notice("probes and metrics are served on \(host.contains(":") ? "[\(host)]" : host):\(port)")
            }
        )
        return Monitoring(heartbeat: own, services: services + [server])
    }

    /// Writes figures for the console to the service's database.
    private mutating func recorder(_ role: ServiceRole, _ database: any CapturingDatabase) -> SampleRecorder {
        let tables = role == .relay ? ConsoleTables(source: database) : ConsoleTables(replica: database)
        let recorder = SampleRecorder(role, tables: tables, version: App.version, logger: logger)
        let others = instrumentation.metricsFactory ?? MetricsSystem.factory
        instrumentation.metricsFactory =
            others is NOOPMetricsHandler
            ? recorder.metricsFactory : MultiplexMetricsHandler(factories: [others, recorder.metricsFactory])
        return recorder
    }

    /// - Parameter isScraped: Whether somebody can ask for metrics.
    /// - Returns: Nil if nothing is to be collected, so that nothing is.
    private mutating func telemetry(isScraped: Bool) throws -> Telemetry? {
        let variables = ProcessInfo.processInfo.environment
        let environment = TelemetryEnvironment(variables, serviceName: App.name, serviceVersion: App.version)
        for fault in environment.faults { logger.warning("\(fault); it counts as if it weren't set") }
        let settings = environment.settings
        let hasMetrics = settings.metrics != nil || (isScraped && settings.servesMetrics)
        guard hasMetrics || settings.sends else { return nil }
        let telemetry = try Telemetry(settings, logger: logger)
        if hasMetrics { collect(telemetry.metrics) }
        if let tracer = telemetry.tracer, instrumentation.effectiveTracer == nil {
            InstrumentationSystem.bootstrap(tracer)
            instrumentation.tracer = tracer
        }
        if settings.logs != nil { send(logsTo: telemetry) }
        return telemetry
    }

    private mutating func collect(_ metrics: MetricCollector) {
        if MetricsSystem.factory is NOOPMetricsHandler { MetricsSystem.bootstrap(metrics) }
        let factories: [any MetricsFactory] = [instrumentation.metricsFactory ?? MetricsSystem.factory, metrics]
        // The process may have been given this one just now.
        let isOther = factories[0] as? MetricCollector !== metrics
        instrumentation.metricsFactory = isOther ? MultiplexMetricsHandler(factories: factories) : metrics
    }

    private mutating func send(logsTo telemetry: Telemetry) {
        let level = logger.logLevel
        logger = Logger(label: App.name) { [settings] label in
            let handlers: [(any LogHandler)?] = [
                App.logHandler(label: label, settings: settings), telemetry.logHandler(label: label),
            ]
            return MultiplexLogHandler(handlers.compactMap { $0 })
        }
        logger.logLevel = level
    }
}
#else
extension ApplicationEnvironment {
    /// Only the heartbeat watches a service that was built without the trait.
    /// - Throws: `DionysusError` with code `configuration` if a port is set.
    func monitor(
        _ role: ServiceRole,
        _ options: MonitoringOptions,
        _ heartbeat: (any Heartbeat)?,
        of database: any CapturingDatabase
    ) throws -> Monitoring {
        guard options.httpPort == nil, settings.http.port == nil else {
            throw leftOut("Monitoring", what: "a port for probes and metrics")
        }
        return Monitoring(heartbeat: heartbeat, services: [])
    }
}
#endif
