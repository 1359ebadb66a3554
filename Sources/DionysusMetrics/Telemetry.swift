public import Logging
public import ServiceLifecycle
import Synchronization
public import Tracing

/// Collects metrics, spans and log messages, and sends them to a collector over OTLP.
///
///     let telemetry = try Telemetry(TelemetryEnvironment(ProcessInfo.processInfo.environment, serviceName: "bookings").settings)
///     MetricsSystem.bootstrap(telemetry.metrics)
///     if let tracer = telemetry.tracer { InstrumentationSystem.bootstrap(tracer) }
///     try await ServiceGroup(services: [telemetry, bookings], logger: logger).run()
///
/// Whoever measures waits for nothing: what waits to be sent is bounded, what finds no room is lost, and
/// `dionysus.telemetry.dropped` counts it. Name it first among services: it is then the last to end, and sends what the
/// others have left.
public final class Telemetry: Service {
    /// What collects metrics.
    public let metrics: MetricCollector
    /// What makes spans; nil if they go nowhere.
    public let tracer: (any Tracer)?

    private let settings: TelemetrySettings
    private let resource: Resource
    private let accounts: Accounts
    private let clients: [Signal: OTLPClient]
    private let spans: BoundedQueue<FinishedSpan>
    private let logs: BoundedQueue<FinishedLog>
    private let logger: Logger
    private let outages = Mutex<Set<Signal>>([])
    /// What wakes whoever sends metrics; it holds nothing.
    private let measurements = BoundedQueue<Never>(capacity: 1, threshold: 1)
    private let end: AsyncStream<Void>
    private let ending: AsyncStream<Void>.Continuation

    /// Creates a telemetry, which sends once it runs.
    /// - Parameters:
    ///   - settings: What is collected, and where it goes.
    ///   - logger: Where it says that the collector is away. Not one whose messages it sends.
    /// - Throws: `DionysusError` with code `configuration` for files with certificates that can't be read.
    public init(_ settings: TelemetrySettings, logger: Logger = Logger(label: "dionysus.telemetry")) throws {
        self.settings = settings
        self.logger = logger
        let endpoints = [Signal.metrics: settings.metrics, .traces: settings.traces, .logs: settings.logs]
        clients = try endpoints.compactMapValues { $0 }.mapValues { try OTLPClient($0, settings.retries) }
        let resource = Resource(settings.resource)
        metrics = MetricCollector(
            limits: settings.metricLimits,
            bounds: settings.bounds,
            descriptions: settings.descriptions,
            hasExemplars: settings.hasExemplars && settings.traces != nil,
            resource: resource,
            logger: logger
        )
        self.resource = resource
        let accounts = Accounts(metrics, Signal.allCases.filter { endpoints[$0] != .some(nil) })
        self.accounts = accounts
        let spans = BoundedQueue<FinishedSpan>(settings.spanQueue)
        self.spans = spans
        logs = BoundedQueue<FinishedLog>(settings.logQueue)
        tracer = settings.traces.map { _ in
            TelemetryTracer(settings.sampler, limits: settings.spanLimits) { span in
                if !spans.offer(span) { accounts.dropped(1, .traces, .queueFull) }
            }
        }
        (end, ending) = AsyncStream.makeStream()
    }

    /// What hands log messages to be sent.
    /// - Parameter label: Who logs.
    /// - Returns: Nil if they go nowhere.
    public func logHandler(label: String) -> (any LogHandler)? {
        guard settings.logs != nil else { return nil }
        return TelemetryLogHandler(label: label, length: settings.spanLimits.valueLength) { [logs, accounts] log in
            if !logs.offer(log) { accounts.dropped(1, .logs, .queueFull) }
        }
    }

    /// Sends what is collected, until it is to end; then what is left, for as long as the settings say.
    public func run() async {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask { await self.sendMetrics() }
                group.addTask { await self.send(self.spans, .traces, self.settings.spanQueue, OTLPMessages.traces) }
                group.addTask { await self.send(self.logs, .logs, self.settings.logQueue, OTLPMessages.logs) }
                group.addTask {
                    for await _ in self.end {}
                    try? await Task.sleep(for: self.settings.shutdownTimeout)
                    return false
                }
                var senders = 3
                for await hasSent in group {
                    if hasSent { senders -= 1 }
                    if !hasSent || senders == 0 { group.cancelAll() }
                }
            }
        } onGracefulShutdown: {
            self.shutDown()
        }
    }

    /// Has ``run()`` send what is left and end, where no service group does so.
    package func shutDown() {
        ending.finish()
        measurements.finish()
        spans.finish()
        logs.finish()
    }

    // MARK: Sending

    private func sendMetrics() async -> Bool {
        guard clients[.metrics] != nil else { return await wait(for: measurements) }
        await measurements.every(settings.metricInterval) { await self.sendMetricsOnce() }
        await sendMetricsOnce()
        return true
    }

    private func sendMetricsOnce() async {
        let snapshot = metrics.snapshot()
        guard !snapshot.isEmpty else { return }
        await send(OTLPMessages.metrics(snapshot, resource, at: now()), 1, .metrics)
    }

    private func send<Element>(
        _ queue: BoundedQueue<Element>,
        _ signal: Signal,
        _ limits: TelemetrySettings.Queue,
        _ encode: @escaping @Sendable ([Element], Resource) -> [UInt8]
    ) async -> Bool {
        guard clients[signal] != nil else { return await wait(for: queue) }
        let drain = {
            while !Task.isCancelled {
                let batch = queue.take(limits.batchSize)
                if batch.isEmpty { return }
                await self.send(encode(batch, self.resource), batch.count, signal)
            }
        }
        await queue.every(limits.delay) { await drain() }
        await drain()
        accounts.dropped(queue.close(), signal, .unreachable)
        return true
    }

    /// Waits for the end where nothing is sent.
    private func wait<Element>(for queue: BoundedQueue<Element>) async -> Bool {
        for await _ in queue.wakeUps {}
        return true
    }

    private func send(_ request: [UInt8], _ count: Int, _ signal: Signal) async {
        guard let outcome = await clients[signal]?.send(request) else { return }
        switch outcome {
        case .taken(let partial):
            let rejected = min(count, partial?.rejected ?? 0)
            accounts.sent(count - rejected, signal)
            accounts.dropped(rejected, signal, .rejected)
            if let partial {
                let message = partial.message.prefix(1_000)
                tell(
                    signal,
                    "the collector has not taken \(rejected) of \(count) \(signal.elements): \(message)"
                )
            } else {
                recovered(signal)
            }
        case .rejected(let reason):
            accounts.dropped(count, signal, .rejected)
            tell(signal, "the collector doesn't take \(signal.rawValue): \(reason)")
        case .unreachable(let reason):
            accounts.dropped(count, signal, .unreachable)
            tell(signal, "\(signal.rawValue) could not be sent to the collector: \(reason)")
        }
    }

    /// Says what is the matter; while it lasts, once.
    private func tell(_ signal: Signal, _ problem: String) {
        let isNew = outages.withLock { $0.insert(signal).inserted }
        logger.log(level: isNew ? .warning : .debug, "\(problem)")
    }

    private func recovered(_ signal: Signal) {
        if outages.withLock({ $0.remove(signal) }) != nil {
            logger.notice("\(signal.rawValue) are sent to the collector again")
        }
    }
}

extension BoundedQueue {
    convenience init(_ limits: TelemetrySettings.Queue) {
        self.init(capacity: limits.capacity, threshold: limits.batchSize)
    }

    /// Does something now and then, and whenever enough waits, until the queue is finished.
    fileprivate func every(_ interval: Duration, _ body: () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while (try? await Task.sleep(for: interval)) != nil { self.wake() }
            }
            for await _ in wakeUps { await body() }
            group.cancelAll()
        }
    }
}
