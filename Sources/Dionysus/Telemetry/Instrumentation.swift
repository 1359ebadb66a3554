package import Logging
public import Metrics
public import Tracing

/// Where a service sends its events, errors, metrics, spans and heartbeats.
///
///     var instrumentation = Instrumentation()
///     instrumentation.monitor.subscribe(to: OutboxProducer.PublishingFailed.self) { … }
///     instrumentation.errorHandler = MyErrorCollector()
///     RelayService(registry, database: database, broker: broker, instrumentation: instrumentation)
///
/// Several services can share one value. Metrics and spans go to the process's systems (`MetricsSystem.bootstrap`,
/// `InstrumentationSystem.bootstrap`) unless you set others here; without any they cost nothing.
public struct Instrumentation: Sendable {
    /// Receives monitor events.
    public var monitor = Monitor()
    /// Delivers events to the rest of the application.
    public var eventBus: any EventBus = InProcessEventBus()
    /// Receives errors; nil to log them.
    public var errorHandler: (any ErrorHandler)?
    /// Creates metrics; nil for the process's factory.
    public var metricsFactory: (any MetricsFactory)?
    /// Creates spans; nil for the process's tracer.
    public var tracer: (any Tracer)?
    /// Receives signs of life; nil for none.
    public var heartbeat: (any Heartbeat)?
    /// Measures how long changes take to be published.
    package var latency = LatencyTracker()

    /// Creates an instrumentation with its defaults.
    public init() {}

    /// The effective error handler of a service with a logger.
    package func errorHandler(logger: Logger) -> any ErrorHandler { errorHandler ?? LoggingErrorHandler(logger) }

    /// The effective metrics factory.
    package var effectiveMetricsFactory: any MetricsFactory { metricsFactory ?? MetricsSystem.factory }

    /// The effective tracer; nil if there is none, which avoids the work for spans.
    package var effectiveTracer: (any Tracer)? {
        let tracer = tracer ?? InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : tracer
    }
}

extension Instrumentation {
    /// Publishes an event on the bus; errors of its subscribers go to the error handler.
    package func publish(_ event: any BusEvent, to errorHandler: any ErrorHandler) async {
        let name = type(of: event).name
        await eventBus.publish(event) { error in
            errorHandler.handle(error, ErrorContext("tell a subscriber of \(name)"))
        }
    }
}
