import Dionysus
import Logging
import Synchronization
import Tracing

/// Tells the outside what a relay does: monitor, event bus, error handler, metrics, spans and heartbeat.
struct RelayTelemetry: Sendable {
    let logger: Logger
    private let instrumentation: Instrumentation
    private let errorHandler: any ErrorHandler
    private let metrics: RelayMetrics
    private let tracer: (any Tracer)?
    private let system: String
    private let settings: ProducerSettings
    private let vitals: RelayVitals
    private let measurement = MeasurementClock()

    init(_ instrumentation: Instrumentation, system: String, settings: ProducerSettings, logger: Logger) {
        self.instrumentation = instrumentation
        self.system = system
        self.settings = settings
        self.logger = logger
        errorHandler = instrumentation.errorHandler(logger: logger)
        metrics = RelayMetrics(instrumentation.effectiveMetricsFactory, system: system)
        tracer = instrumentation.effectiveTracer
        vitals = RelayVitals(limit: settings.messageTimeout + settings.leaseTimeout)
    }

    private var monitor: Monitor { instrumentation.monitor }

    // MARK: The relay's life

    /// Tells of the beginning and the end of a relay's work.
    func lifetime(_ work: () async throws -> Void) async throws {
        beat()
        do {
            try await work()
        } catch {
            stopped(because: error)
            throw error
        }
        stopped(because: nil)
    }

    func started(lanes: Int) {
        vitals.enter(.ready)
        monitor.emit(OutboxProducer.Started(lanes: lanes, workers: settings.workers))
    }

    func shuttingDown() {
        vitals.enter(.stopping)
        beat()
        monitor.emit(OutboxProducer.ShuttingDown())
    }

    private func stopped(because error: (any Error)?) {
        vitals.enter(.stopped)
        beat(problem: error?.summary)
        monitor.emit(OutboxProducer.Stopped(error: error))
    }

    private func beat(problem: String? = nil) { instrumentation.heartbeat?.record(vitals.sign(problem)) }

    // MARK: Polling

    /// New rows have been looked for.
    /// - Parameter outage: What keeps the relay from the broker, if something does.
    func polled(pendingLanes: Int, outage: DionysusError?) {
        // That a broker is away, its adapter logs; who is refused needs to know what to do.
        if let outage = vitals.noteOutage(outage), outage.code == .accessDenied {
            tell(outage, ErrorContext("connect to the broker"))
        }
        beat()
        monitor.emit(OutboxProducer.Heartbeat(pendingLanes: pendingLanes))
    }

    /// Something of the whole relay failed, and will be tried again.
    func failed(_ error: DionysusError, to activity: String, attempt: Int) {
        beat(problem: "could not \(activity): \(error)")
        tell(error, ErrorContext(activity, attempt: attempt))
    }

    /// Measures what waits in the outbox, if that was not done just before.
    ///
    /// An error is told, and keeps the relay from nothing.
    func measureIfDue(_ outbox: Outbox, in database: any Database) async {
        guard measurement.isDue else { return }
        do {
            measured(try await database.transaction(.snapshot) { try outbox.measureBacklog(in: &$0) })
        } catch {
            tell(error, ErrorContext("measure the backlog"))
        }
    }

    private func measured(_ backlog: Backlog) {
        instrumentation.latency.note(oldestUnpublished: backlog.oldest, published: backlog.latency)
        let summary = instrumentation.latency.lastMinute
        let age = instrumentation.latency.oldestUnpublishedAge ?? .zero
        metrics.measured(backlog, latency: summary, oldestAge: age)
        logger.debug(
            "\(backlog.pending) rows wait, the oldest for \(age)",
            metadata: summary.map {
                ["minimum": "\($0.minimum)", "maximum": "\($0.maximum)", "average": "\($0.average)"]
            }
        )
    }

    // MARK: Lanes

    /// A worker has taken up a lane.
    func began(_ lane: Int) { metrics.works(onLanes: vitals.began(lane)) }

    /// A worker is done with a lane.
    func ended(_ lane: Int) { metrics.works(onLanes: vitals.ended(lane)) }

    /// Somebody else holds a lane.
    /// - Parameter topics: Finds the topics that wait in it; asked only if somebody wants to know.
    func laneIsHeld(_ lane: Int, topics: () async throws -> [String]) async {
        metrics.laneWasContended()
        guard monitor.isObserved(OutboxProducer.LockExistsForTopic.self) else { return }
        let waiting = (try? await topics()) ?? []
        monitor.emit(OutboxProducer.LockExistsForTopic(lane: lane, topics: waiting))
    }

    /// A batch of a lane failed as a whole, and will be tried again.
    func failed(_ error: any Error, lane: Int, attempt: Int) {
        tell(error, ErrorContext("publish a batch", lane: lane, attempt: attempt))
    }

    /// The broker did not take the messages of a lane.
    func brokerFailed(_ error: DionysusError, lane: Int, attempt: Int) {
        let isNew = vitals.noteBroker("the broker does not take messages: \(error)")
        // One line is enough of what lasts until somebody corrects it.
        if error.code == .accessDenied, !isNew || vitals.isRefused { return }
        tell(error, ErrorContext("give messages to the broker", lane: lane, attempt: attempt))
    }

    /// A middleware threw an error after its batch had been sent.
    func middlewareFailed(_ error: any Error, lane: Int) {
        errorHandler.handle(error, ErrorContext("end the middleware around a batch, which has been sent", lane: lane))
    }

    /// Rows wait for a topic.
    /// - Parameter error: Why, if that is to be told.
    func lacksTopic(_ error: DionysusError?, problem: String?) {
        vitals.noteTopics(problem)
        beat()
        guard let error else { return }
        metrics.failed(error.code.description)
        logger.warning("rows wait, without an attempt being counted: \(error)")
    }

    /// Rows of topics go on.
    func hasTopics(_ groups: [RecordGroup], problem: String?) {
        vitals.noteTopics(problem)
        beat()
        for topic in Set(groups.map(\.topic)).sorted() { logger.notice("rows of topic \(topic) go on") }
    }

    /// Nothing of a model can be published.
    func refused(_ error: DionysusError, _ group: RecordGroup, problem: String?) {
        vitals.noteModels(problem)
        beat()
        tell(error, ErrorContext("publish a model", topic: group.topic))
    }

    /// A genesis run can't read its records.
    func refusedRun(_ error: DionysusError, topic: String, problem: String?) {
        vitals.noteRuns(problem)
        beat()
        tell(error, ErrorContext("work on a genesis run", topic: topic))
    }

    /// Genesis runs can read their records again.
    func acceptedRuns(_ groups: [RecordGroup], problem: String?) {
        vitals.noteRuns(problem)
        beat()
        for group in groups { logger.info("genesis runs of \(group.modelName) in topic \(group.topic) go on") }
    }

    /// Models can be published again.
    func accepted(_ groups: [RecordGroup], problem: String?) {
        vitals.noteModels(problem)
        beat()
        for group in groups { logger.info("\(group.modelName) is published in topic \(group.topic) again") }
    }

    private func tell(_ error: any Error, _ context: ErrorContext) {
        metrics.failed((error as? DionysusError)?.code.description ?? "\(type(of: error))")
        errorHandler.handle(error, context)
        monitor.emit(OutboxProducer.ErrorOccurred(error: error, context: context))
    }

    // MARK: Batches

    /// Measures how long a stage of a batch takes.
    func stage<Result>(_ stage: RelayMetrics.Stage, _ work: () async throws -> Result) async rethrows -> Result {
        let start = ContinuousClock.now
        defer { ended(stage, after: .now - start) }
        return try await work()
    }

    /// A stage of a batch has ended.
    func ended(_ stage: RelayMetrics.Stage, after duration: Duration) { metrics.ended(stage, after: duration) }

    /// Rows have been claimed.
    func claimed(_ rows: [OutboxRow], lane: Int) {
        guard !rows.isEmpty else { return }
        metrics.claimed(rows.count)
        guard monitor.isObserved(OutboxProducer.ProcessingTopic.self) else { return }
        for (topic, rows) in Dictionary(grouping: rows, by: \.topic) {
            monitor.emit(OutboxProducer.ProcessingTopic(topic: topic, lane: lane, rows: rows.count))
        }
    }

    /// The span of sending rows, if there is a tracer.
    func sending(_ rows: [OutboxRow]) -> SendSpan? {
        tracer.map { SendSpan(rows, $0, system: system, clientID: settings.clientID) }
    }

    /// What came of sending.
    func sent(_ messages: [OutgoingMessage], _ results: [Result<Acknowledgement, DionysusError>]) {
        let hasSucceeded = results.contains { if case .success = $0 { true } else { false } }
        if hasSucceeded { _ = vitals.noteBroker(nil) }
        guard metrics.isEnabled else { return }
        var counts: [SendOutcome: Int] = [:]
        for (message, result) in zip(messages, results) {
            var error: String?
            if case .failure(let failure) = result { error = failure.code.description }
            counts[SendOutcome(topic: message.topic, error: error), default: 0] += 1
        }
        for (outcome, count) in counts { metrics.sent(count, to: outcome.topic, error: outcome.error) }
    }

    private struct SendOutcome: Hashable {
        let topic: String
        let error: String?
    }

    /// Tells what became of a batch.
    func settled(_ settlement: Settlement, _ rows: [OutboxRow], lane: Int, duration: Duration) {
        let published = settlement.published
        instrumentation.latency.record(published.lazy.compactMap { $0.createdAt })
        let parked = Set(settlement.parked.map(\.id))
        for (row, error) in settlement.failures {
            let context = ErrorContext(
                "publish a row of the outbox",
                topic: row.topic,
                record: row.record.messageKey,
                lane: lane,
                rowIDs: [row.id],
                attempt: Int(error.isRetriable ? row.attempts : row.attempts + 1)
            )
            metrics.failed(error.code.description)
            errorHandler.handle(error, context)
            let isParked = parked.contains(row.id)
            if isParked { metrics.wasParked(in: row.topic) }
            monitor.emit(
                OutboxProducer.PublishingFailed(
                    error: error,
                    record: OutboxRecord(row),
                    context: context,
                    isParked: isParked
                )
            )
        }
        for (_, rows) in settlement.notes { metrics.settledWithoutMessage(rows.count) }
        if metrics.isEnabled || monitor.isObserved(OutboxProducer.Published.self) {
            for (topic, rows) in Dictionary(grouping: published, by: \.topic) {
                metrics.published(rows.count, to: topic)
                monitor.emit(
                    OutboxProducer.Published(topic: topic, lane: lane, records: rows.map { OutboxRecord($0) })
                )
            }
        }
        guard monitor.isObserved(OutboxProducer.ProcessedTopic.self) else { return }
        for (topic, rows) in Dictionary(grouping: rows, by: \.topic) {
            monitor.emit(
                OutboxProducer.ProcessedTopic(
                    topic: topic,
                    lane: lane,
                    rows: rows.count,
                    published: published.count { $0.topic == topic },
                    failed: settlement.failures.count { $0.row.topic == topic },
                    duration: duration
                )
            )
        }
    }
}

/// Says now and then that it is time to measure.
private final class MeasurementClock: Sendable {
    private static let interval = Duration.seconds(15)

    private let last = Mutex<ContinuousClock.Instant?>(nil)

    var isDue: Bool {
        last.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
    }
}

extension OutboxRecord {
    init(_ row: OutboxRow) {
        self.init(
            id: row.id,
            topic: row.topic,
            modelName: row.resourceClass,
            recordID: row.recordID,
            eventName: row.eventName,
            partitionKey: row.partitionKey,
            attempts: Int(row.attempts),
            createdAt: row.createdAt,
            origin: row.origin
        )
    }
}
