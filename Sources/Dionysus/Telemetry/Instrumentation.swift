package import Logging
public import Metrics
public import Tracing

/// What a service tells the outside: to whom, and by what means.
///
///     var instrumentation = Instrumentation()
///     instrumentation.monitor.subscribe(to: OutboxProducer.PublishingFailed.self) { … }
///     instrumentation.errorHandler = MyErrorCollector()
///     RelayService(registry, database: database, broker: broker, instrumentation: instrumentation)
///
/// One value can serve several services. Metrics and spans go to the systems that the process has been given
/// (`MetricsSystem.bootstrap`, `InstrumentationSystem.bootstrap`) unless others are named here; without any they cost
/// nothing.
public struct Instrumentation: Sendable {
    /// Whom monitor events go to.
    public var monitor = Monitor()
    /// What carries events to the rest of the application.
    public var eventBus: any EventBus = InProcessEventBus()
    /// Who is told of errors; nil for the service's log.
    public var errorHandler: (any ErrorHandler)?
    /// What makes metrics; nil for the process's.
    public var metricsFactory: (any MetricsFactory)?
    /// What makes spans; nil for the process's.
    public var tracer: (any Tracer)?
    /// Who is told that the service lives; nil for nobody.
    public var heartbeat: (any Heartbeat)?
    /// How long changes take to be published.
    public var latency = LatencyTracker()

    /// Creates an instrumentation with its defaults.
    public init() {}

    /// The error handler in effect for a service that logs to a logger.
    package func errorHandler(logger: Logger) -> any ErrorHandler { errorHandler ?? LoggingErrorHandler(logger) }

    /// The metrics factory in effect.
    package var effectiveMetricsFactory: any MetricsFactory { metricsFactory ?? MetricsSystem.factory }

    /// The tracer in effect; nil if there is none, so that no work is done for spans.
    package var effectiveTracer: (any Tracer)? {
        let tracer = tracer ?? InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : tracer
    }
}

extension Instrumentation {
    /// Publishes an event on the bus; errors of those who are told of it go to the error handler.
    package func publish(_ event: any BusEvent, to errorHandler: any ErrorHandler) async {
        let name = type(of: event).name
        await eventBus.publish(event) { error in
            errorHandler.handle(error, ErrorContext("tell a subscriber of \(name)"))
        }
    }
}
