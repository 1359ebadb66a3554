import Dionysus
import Logging
import Synchronization
import Tracing

/// Reports what a relay does, to monitor, error handler, metrics, spans and heartbeat.
struct RelayTelemetry: Sendable {
    let logger: Logger
    let instrumentation: Instrumentation
    let errorHandler: any ErrorHandler
    let metrics: RelayMetrics
    let tracer: (any Tracer)?
    let system: String
    let settings: ProducerSettings
    let vitals: RelayVitals
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

    var monitor: Monitor { instrumentation.monitor }

    // MARK: The relay's life

    /// Reports the beginning and the end of a relay's work.
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
        // The adapter logs that a broker is away; a refusal is reported, because somebody has to act on it.
        if let outage = vitals.noteOutage(outage), outage.code == .accessDenied {
            report(outage, ErrorContext("connect to the broker"))
        }
        beat()
        monitor.emit(OutboxProducer.Heartbeat(pendingLanes: pendingLanes))
    }

    /// Something of the whole relay failed, and will be tried again.
    func failed(_ error: DionysusError, to activity: String, attempt: Int) {
        beat(problem: "could not \(activity): \(error)")
        report(error, ErrorContext(activity, attempt: attempt))
    }

    /// Measures what waits in the outbox, if that was not done just before.
    ///
    /// An error is reported, and the relay goes on.
    func measureIfDue(_ outbox: Outbox, in database: any Database) async {
        guard measurement.isDue else { return }
        do {
            measured(try await database.transaction(.snapshot) { try outbox.measureBacklog(in: &$0) })
        } catch {
            report(error, ErrorContext("measure the backlog"))
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

    /// Another relay holds a lane.
    /// - Parameter topics: Finds the topics that wait in it; asked only if the event is observed.
    func laneIsHeld(_ lane: Int, topics: () async throws -> [String]) async {
        metrics.laneWasContended()
        guard monitor.isObserved(OutboxProducer.LockExistsForTopic.self) else { return }
        let waiting = (try? await topics()) ?? []
        monitor.emit(OutboxProducer.LockExistsForTopic(lane: lane, topics: waiting))
    }

    /// A batch of a lane failed as a whole, and will be tried again.
    func failed(_ error: any Error, lane: Int, attempt: Int) {
        report(error, ErrorContext("publish a batch", lane: lane, attempt: attempt))
    }

    /// The broker did not take the messages of a lane.
    func brokerFailed(_ error: DionysusError, lane: Int, attempt: Int) {
        let isNew = vitals.noteBroker("the broker does not take messages: \(error)")
        // One line is enough for what lasts until somebody corrects it.
        if error.code == .accessDenied, !isNew || vitals.isRefused { return }
        report(error, ErrorContext("give messages to the broker", lane: lane, attempt: attempt))
    }

    /// A middleware threw an error after its batch had been sent.
    func middlewareFailed(_ error: any Error, lane: Int) {
        errorHandler.handle(error, ErrorContext("end the middleware around a batch, which has been sent", lane: lane))
    }

    /// Rows wait for a topic.
    /// - Parameter error: Why, if that has not been reported yet.
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
        report(error, ErrorContext("publish a model", topic: group.topic))
    }

    /// A genesis run can't read its records.
    func refusedRun(_ error: DionysusError, topic: String, problem: String?) {
        vitals.noteRuns(problem)
        beat()
        report(error, ErrorContext("work on a genesis run", topic: topic))
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

    private func report(_ error: any Error, _ context: ErrorContext) {
        metrics.failed((error as? DionysusError)?.code.description ?? "\(type(of: error))")
        errorHandler.handle(error, context)
        monitor.emit(OutboxProducer.ErrorOccurred(error: error, context: context))
    }
}

/// Spaces measurements in time.
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
