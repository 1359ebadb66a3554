import Dionysus
import Logging
import ServiceLifecycle
import Tracing

/// Reports what a consumer does to the monitor, the error handler, metrics, spans and the heartbeat.
struct ConsumerTelemetry: RetryObserver {
    let metrics: ConsumerMetrics
    let instrumentation: Instrumentation
    let errorHandler: any ErrorHandler
    let tracer: (any Tracer)?
    let system: String
    let settings: ConsumerSettings
    let logger: Logger
    let vitals: ConsumerVitals
    let lag: LagMeter

    /// - Parameters:
    ///   - instrumentation: Monitor, event bus, error handler, metrics, tracer and heartbeat.
    ///   - system: The broker's kind, as OpenTelemetry names it; Kafka where no broker is at hand.
    ///   - settings: The consumer's settings.
    ///   - logger: Where errors go if there is no error handler.
    init(_ instrumentation: Instrumentation, system: String = "kafka", settings: ConsumerSettings, logger: Logger) {
        self.instrumentation = instrumentation
        self.system = system
        self.settings = settings
        self.logger = logger
        errorHandler = instrumentation.errorHandler(logger: logger)
        tracer = instrumentation.effectiveTracer
        metrics = ConsumerMetrics(
            instrumentation.effectiveMetricsFactory,
            system: system,
            group: settings.effectiveGroupID
        )
        vitals = ConsumerVitals(limit: settings.stuckAfter)
        lag = LagMeter(metrics)
    }

    var monitor: Monitor { instrumentation.monitor }

    /// The event bus of the application, on which telemetry itself publishes nothing.
    var eventBus: any EventBus { instrumentation.eventBus }

    // MARK: The consumer's life

    /// Reports the beginning and the end of a consumer's work, and its health meanwhile.
    /// - Parameters:
    ///   - broker: Where the partitions' ends are looked up.
    /// - Throws: What the work throws.
    func lifetime(_ broker: any MessageBroker, _ work: () async throws -> Void) async throws {
        beat()
        do {
            async let _ = keepBeating()
            async let _ = keepMeasuring(broker)
            try await withGracefulShutdownHandler {
                try await work()
            } onGracefulShutdown: {
                shuttingDown()
            }
        } catch {
            stopped(because: error)
            throw error
        }
        stopped(because: nil)
    }

    func started() {
        vitals.enter(.ready)
        beat()
        monitor.emit(ReplicaConsumer.Started(group: settings.effectiveGroupID))
    }

    private func shuttingDown() {
        vitals.enter(.stopping)
        beat()
        monitor.emit(ReplicaConsumer.ShuttingDown())
    }

    private func stopped(because error: (any Error)?) {
        lag.end()
        vitals.stop(because: error.map { ($0 as? DionysusError)?.description ?? "\(type(of: $0))" })
        beat()
        monitor.emit(ReplicaConsumer.Stopped(error: error))
    }

    private func beat() { instrumentation.heartbeat?.record(vitals.sign()) }

    /// Batches and waits take longer than a heartbeat may be old, so it does not depend on them.
    private func keepBeating() async {
        guard instrumentation.heartbeat != nil else { return }
        while (try? await Task.sleep(for: .seconds(1))) != nil { beat() }
    }

    private func keepMeasuring(_ broker: any MessageBroker) async {
        guard metrics.isEnabled else { return }
        while (try? await Task.sleep(for: settings.lagInterval)) != nil {
            // Asking a broker that is away would only keep a consumer that is to end.
            guard !vitals.lacksBroker else { continue }
            do {
                try await lag.measure(broker)
            } catch {
                tell(error, ErrorContext("measure the lag"))
            }
        }
    }

    /// A verification run has been compared.
    func verified(_ counts: VerificationCounts, topic: String, run: String) {
        // What a few records show says nothing of the others.
        if counts.isWhole { metrics.verified(counts, topic) }
        let found = counts.counts.filter { $0.count > 0 }.map { "\($0.count) \($0.kind.rawValue)" }
            .joined(separator: ", ")
        let what = "the replica of \(counts.model.inMessage) and \(topic), verification run \(run.inMessage)"
        if counts.total == 0 {
            logger.info("\(what): no difference")
        } else {
            logger.warning("\(what): \(found); show and repair them with the verification command")
        }
    }

    // MARK: Polling

    /// Messages have been asked for.
    /// - Parameter outage: What keeps the member from reading, if something does.
    func polled(_ outage: DionysusError?) {
        switch vitals.polled(outage) {
        case .some(let error) where error.code == .unknownTopic: logger.warning("\(error)")
        case .some(let error): tell(error, ErrorContext("read from the broker"))
        case nil: break
        }
        beat()
        monitor.emit(ReplicaConsumer.Heartbeat(partitions: vitals.owned))
    }

    // MARK: Partitions

    /// The member owns more partitions, and reads them from these places.
    func assigned(_ starts: [TopicPartition: StartPosition]) {
        lag.begin(starts)
        metrics.rebalanced("assigned", owned: vitals.own(starts.keys))
        monitor.emit(ReplicaConsumer.PartitionsAssigned(partitions: starts.keys.sorted()))
    }

    /// The member gives partitions back.
    func revoked(_ partitions: [TopicPartition]) {
        disown(partitions, "revoked")
        monitor.emit(ReplicaConsumer.PartitionsRevoked(partitions: partitions.sorted()))
    }

    /// The member has lost partitions.
    func lost(_ partitions: [TopicPartition]) {
        disown(partitions, "lost")
        monitor.emit(ReplicaConsumer.PartitionsLost(partitions: partitions.sorted()))
    }

    private func disown(_ partitions: [TopicPartition], _ change: String) {
        lag.end(partitions)
        metrics.rebalanced(change, owned: vitals.disown(partitions))
    }

    /// A partition is read on at another place.
    func moved(_ partition: TopicPartition, to start: StartPosition) { lag.move(partition, to: start) }

    // MARK: Errors

    /// Something failed, and is tried again or skipped.
    func failed(_ error: any Error, to activity: String, _ partition: TopicPartition? = nil, attempt: Int = 1) {
        tell(
            error,
            ErrorContext(activity, topic: partition?.topic, partition: partition?.partition, attempt: attempt)
        )
    }

    /// Something that needs the database or the broker failed, and is tried again until it succeeds.
    /// - Parameter trouble: What is remembered of it; a conflict that the next try settles is no trouble.
    func failed(
        _ error: DionysusError,
        to activity: String,
        _ partition: TopicPartition?,
        attempt: Int,
        _ trouble: inout Trouble?
    ) {
        failed(error, to: activity, partition, attempt: attempt)
        if attempt > 1 { vitals.note("could not \(activity): \(error)", as: &trouble) } else { vitals.tried() }
        beat()
    }

    /// What had failed has succeeded, or is not tried any more.
    func recovered(from trouble: Trouble?) {
        guard let trouble else { return }
        vitals.forget(trouble)
        beat()
    }

    /// The replica's database has answered, or has taken something.
    func databaseAnswered(after trouble: inout Trouble?) {
        vitals.databaseAnswered()
        guard trouble != nil else { return }
        recovered(from: trouble)
        trouble = nil
        logger.notice("the replica's database answers again")
    }

    /// The replica's database can't be reached while there is nothing to write; this is reported once.
    func databaseFailed(_ error: any Error, _ trouble: inout Trouble?) {
        if trouble == nil { tell(error, ErrorContext("reach the replica's database")) }
        vitals.note(
            "the replica's database can't be reached: \((error as? DionysusError)?.message ?? "\(error)")",
            as: &trouble
        )
        beat()
    }

    /// A partition is written again whose replica could not be.
    func written(_ partition: TopicPartition, after error: DionysusError) {
        logger.notice("\(partition) goes on, after: \(error.message)")
    }

    func tell(_ error: any Error, _ context: ErrorContext) {
        metrics.failed(error)
        errorHandler.handle(error, context)
        monitor.emit(ReplicaConsumer.ErrorOccurred(error: error, context: context))
    }
}
