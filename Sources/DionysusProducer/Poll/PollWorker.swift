import Dionysus
import Synchronization

/// Runs the declared polls, a batch of each at a time.
///
/// A batch is a short transaction that locks the poll's row, writes what it has found into the outbox and stores the
/// position. So any number of workers can run in any number of processes: one at a time has the row, and its death gives
/// the row free with everything as it was after the last batch.
final class PollWorker: Sendable {
    private struct Standing {
        /// Polls of which this worker has seen the end of a round, or found that others run them.
        var finished: Set<String> = []
        /// What keeps a poll from being run, by its name.
        var problems: [String: String] = [:]
    }

    let database: any CapturingDatabase
    private let outbox: Outbox
    private let registry: Registry
    private let settings: ProducerSettings
    let telemetry: RelayTelemetry
    /// Whether each poll runs one round, even if it isn't time for it, and is then done.
    private let runsOnce: Bool
    private let standing = Mutex(Standing())

    init(
        database: any CapturingDatabase,
        outbox: Outbox,
        registry: Registry,
        settings: ProducerSettings,
        telemetry: RelayTelemetry,
        runsOnce: Bool
    ) {
        self.database = database
        self.outbox = outbox
        self.registry = registry
        self.settings = settings
        self.telemetry = telemetry
        self.runsOnce = runsOnce
    }

    /// The polls that run: none while changes are not to be recorded.
    var polls: [PolledModel] { registry.capture == .enabled && registry.recordsChanges ? registry.polls : [] }

    /// Whether a poll has yet to find something, of those that run once.
    var hasWork: Bool {
        guard runsOnce else { return false }
        let finished = standing.withLock { $0.finished }
        return polls.contains { !finished.contains($0.name) }
    }

    /// Whether the tables are there: a database that was migrated by an earlier version has none.
    func isInstalled(in transaction: inout Transaction) throws -> Bool {
        try transaction.describe(table: outbox.tables.path(PollSchema.records)) != nil
    }

    /// Says that nothing can be polled.
    func missingTables() {
        telemetry.logger.error("tables are not polled, for there is no table \(PollSchema.records): run migrate")
        for poll in polls { finish(poll) }
    }

    /// Runs a batch of each poll that is due.
    /// - Parameter onQueued: Called when rows have been written to the outbox.
    /// - Returns: Whether anything was done, so that there may be more.
    func step(onQueued: @Sendable () -> Void) async throws -> Bool {
        var hasWorked = false
        for poll in polls where !Task.isCancelled {
            let isForced = runsOnce
            if isForced, standing.withLock({ $0.finished.contains(poll.name) }) { continue }
            let step = PollStep(
                poll: poll,
                registry: registry,
                outbox: outbox,
                maxPendingRows: settings.genesisMaxPendingRows
            )
            do {
                let outcome = try await database.transaction(.write) { try step.run(isForced: isForced, in: &$0) }
                recovered(poll)
                switch outcome {
                case .notDue, .waitsForRelay: break
                case .taken: if isForced { finish(poll) }
                case .finished:
                    finish(poll)
                    telemetry.logger.debug("poll \(poll.name) has finished a round")
                case .found(let count):
                    hasWorked = true
                    if count > 0 { onQueued() }
                }
            } catch let error as DionysusError where error.isRetriable {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                // Other polls go on; this one is tried again.
                failed(poll, error.summary)
                finish(poll)
            }
        }
        return hasWorked
    }

    private func finish(_ poll: PolledModel) { standing.withLock { _ = $0.finished.insert(poll.name) } }

    private func failed(_ poll: PolledModel, _ text: String) {
        let isNew = standing.withLock { $0.problems.updateValue(text, forKey: poll.name) != text }
        if isNew { telemetry.logger.error("poll \(poll.name) waits: \(text)") }
    }

    private func recovered(_ poll: PolledModel) {
        guard standing.withLock({ $0.problems.removeValue(forKey: poll.name) != nil }) else { return }
        telemetry.logger.notice("poll \(poll.name) goes on")
    }
}
