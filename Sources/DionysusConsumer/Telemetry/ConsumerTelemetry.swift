import Dionysus
import Logging
import ServiceLifecycle
import Tracing

/// Tells the outside what a consumer does: monitor, error handler, metrics, spans and heartbeat.
struct ConsumerTelemetry: RetryObserver {
    let metrics: ConsumerMetrics
    private let instrumentation: Instrumentation
    let errorHandler: any ErrorHandler
    private let tracer: (any Tracer)?
    private let system: String
    private let settings: ConsumerSettings
    private let logger: Logger
    private let vitals: ConsumerVitals
    private let lag: LagMeter

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

    private var monitor: Monitor { instrumentation.monitor }

    /// The event bus of the application, on which telemetry itself publishes nothing.
    var eventBus: any EventBus { instrumentation.eventBus }

    // MARK: The consumer's life

    /// Reports the beginning and the end of a consumer's work, and its health meanwhile.
    /// - Parameters:
    ///   - broker: Where the partitions' ends are looked up.
    ///   - work: The work.
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

    /// The member owns more partitions, and begins to read them at these places.
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

    /// Something failed and is tried again, or done without.
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

    private func tell(_ error: any Error, _ context: ErrorContext) {
        metrics.failed(error)
        errorHandler.handle(error, context)
        monitor.emit(ReplicaConsumer.ErrorOccurred(error: error, context: context))
    }

    // MARK: Batches

    /// Reports a batch from its beginning to its end, retries included.
    /// - Parameters:
    ///   - summary: What the progress says of the batch.
    ///   - work: The work.
    ///   - failure: What of the work's result is an error.
    /// - Throws: What the work throws.
    func follow<Progress, Result>(
        _ batch: MessageBatch,
        _ progress: inout Progress,
        _ summary: KeyPath<Progress, BatchSummary>,
        _ work: (inout Progress) async throws -> Result,
        failing failure: (Result) -> (any Error)?
    ) async throws -> Result {
        let following = begin(batch)
        do {
            let result: Result
            if let span = following.span {
                result = try await ServiceContext.$current.withValue(span.context) { try await work(&progress) }
            } else {
                result = try await work(&progress)
            }
            end(following, progress[keyPath: summary], failure(result))
            return result
        } catch {
            end(following, progress[keyPath: summary], error)
            throw error
        }
    }

    private struct Following {
        let batch: MessageBatch
        let number: Int
        let start: ContinuousClock.Instant
        let span: ProcessSpan?
    }

    private func begin(_ batch: MessageBatch) -> Following {
        metrics.took(batch.messages.count)
        monitor.emit(
            ReplicaConsumer.ProcessingBatch(partition: batch.partition, messages: batch.messages.count)
        )
        return Following(
            batch: batch,
            number: vitals.began(batch.partition),
            start: .now,
            span: tracer.map { ProcessSpan(batch, $0, system: system, settings: settings) }
        )
    }

    private func end(_ following: Following, _ summary: BatchSummary, _ error: (any Error)?) {
        let (batch, duration) = (following.batch, ContinuousClock.now - following.start)
        vitals.ended(following.number)
        metrics.processed(batch.partition, in: duration, error)
        // Shutting down is no error.
        following.span?.end(summary.firstFailure ?? (error is CancellationError ? nil : error))
        monitor.emit(
            ReplicaConsumer.ProcessedBatch(
                partition: batch.partition,
                messages: batch.messages.count,
                applied: summary.applied,
                failed: summary.failed.count,
                duration: duration,
                error: error
            )
        )
    }

    /// The database refused messages together or one of them alone, which are tried again, in halves or as they are.
    func retrying(_ batch: MessageBatch, _ error: DionysusError, attempt: Int) {
        vitals.tried()
        metrics.retried(batch.partition.topic)
        let (first, partition) = (batch.messages.first?.offset, batch.partition)
        guard batch.messages.count == 1 else {
            logger.debug("\(batch.messages.count) messages of \(partition) are tried again in halves: \(error)")
            return
        }
        tell(
            error,
            ErrorContext(
                "apply a message",
                topic: partition.topic,
                partition: partition.partition,
                offset: first,
                attempt: attempt
            )
        )
    }

    /// A message has failed, and its topic's choice is followed.
    func failed(_ failure: FailedMessage, _ policy: FailedMessagePolicy) {
        let source = failure.message.source
        let context = ErrorContext(
            "apply a message",
            topic: source.topic,
            partition: source.partition,
            offset: failure.message.offset,
            attempt: failure.attempts
        )
        metrics.failed(failure.error)
        metrics.parked(source.topic, policy.name)
        errorHandler.handle(failure.error, context)
        monitor.emit(
            ReplicaConsumer.MessageFailed(error: failure.error, context: context, policy: policy.name)
        )
    }

    /// The dead-letter topic has refused a message, which is recorded in the database instead.
    func refused(_ failure: FailedMessage, by topic: String) {
        let source = failure.message.source
        tell(
            failure.error,
            ErrorContext(
                "send a message to \(topic), which is recorded in the database instead",
                topic: source.topic,
                partition: source.partition,
                offset: failure.message.offset,
                attempt: failure.attempts
            )
        )
    }

    /// The messages of a batch and an offset have been committed.
    /// - Parameter isOneLane: Whether they are those of one lane among several.
    func committed(_ batch: MessageBatch, isOneLane: Bool) {
        vitals.databaseAnswered()
        metrics.consumed(batch.messages.count, from: batch.partition.topic)
        // The other lanes may not have come as far.
        guard !isOneLane else { return }
        lag.advance(batch.partition, to: batch.next, batch.messages.last?.timestamp)
    }

    /// All lanes of a partition have come up to an offset.
    func advanced(_ partition: TopicPartition, to offset: Int64) { lag.advance(partition, to: offset, nil) }

    /// Counts the events of a committed batch.
    func applied(_ tally: @autoclosure () -> EventTally, in topic: String) {
        guard metrics.isEnabled else { return }
        metrics.applied(tally(), in: topic)
    }

    // MARK: Reactions

    /// What the application does after a commit has failed; it is not done again.
    func reactionFailed(_ error: any Error, _ activity: String, _ source: TopicPartition, offset: Int64) {
        tell(
            error,
            ErrorContext(activity, topic: source.topic, partition: source.partition, offset: offset)
        )
    }
}

extension FailedMessagePolicy {
    /// The policy's name in metrics and monitor events.
    var name: String {
        switch self {
        case .record: "record"
        case .deadLetter: "dead_letter"
        case .skip: "skip"
        case .stop: "stop"
        }
    }
}
