import Dionysus

/// Finds the lanes that have something to publish, and offers them to the workers.
struct LanePoller: Sendable {
    /// How long rows of idle lanes may wait while those of others are published.
    private static let pauseWhileWorking = Duration.milliseconds(20)
    /// How long the relay waits where other relays have all lanes with something to publish.
    private static let pauseForOthers = Duration.milliseconds(50)

    let pipeline: RelayPipeline
    let queue: LaneQueue
    let doorbell: Doorbell
    let mode: RelayService.Mode
    /// Works on genesis runs, which may have more to publish when the outbox is empty.
    let genesis: GenesisWorker
    /// Polls tables, each of which may have more to publish, too.
    let polls: PollWorker

    private var context: RelayContext { pipeline.context }
    private var outbox: Outbox { pipeline.outbox }

    /// Looks for lanes until the queue is closed.
    func run() async throws {
        let settings = context.settings
        // A listening connection must not outlast this.
        let signal = settings.wakesUp ? context.database.changeSignal(doorbell.announce) : nil
        var changes = ChangeWaiting(signal, doorbell, pollInterval: settings.pollInterval, logger: context.logger)
        try await closing {
            await changes.close()
        } after: {
            try await poll(&changes)
        }
    }

    /// What the relay is doing between two looks at the outbox.
    private struct Activity {
        /// Whether batches are being published: then nothing has to be announced.
        var isBusy = false
        /// Whether anything has been settled since the look before.
        var hasProgressed = false
    }

    private func poll(_ changes: inout ChangeWaiting) async throws {
        var activity = Activity()
        while !queue.isClosed, !Task.isCancelled {
            let isArmed = !activity.isBusy
            if isArmed { await changes.arm() }
            guard let lanes = try await pendingLanes() else { break }
            changes.found(lanes)
            await context.telemetry.measureIfDue(outbox, in: context.database)
            // Lanes whose rows all wait behind a failed one are looked at again and again: they don't count as work.
            if mode == .untilEmpty, queue.isIdle, try await isEmpty() { queue.close() }
            queue.offerIdle((lanes + pipeline.housekeeping.lanesInNeed(of: outbox.lanes)).withoutRepetitions)
            if queue.areTaken(lanes) {
                await doorbell.wait(atMost: min(Self.pauseForOthers, context.settings.pollInterval))
                continue
            }
            if !lanes.isEmpty || activity.isBusy && !queue.isIdle {
                await wait(for: &activity)
                if activity.isBusy && isArmed { await changes.disarm() }
            } else {
                activity.isBusy = false
            }
            // Changes that came while nothing was announced have to be found first.
            if isArmed && !activity.isBusy { await changes.wait() }
        }
    }

    /// Waits while workers publish: a lane may get rows after it was claimed, as others may.
    private func wait(for activity: inout Activity) async {
        await doorbell.wait(atMost: activity.hasProgressed ? Self.pauseWhileWorking : context.settings.pollInterval)
        activity.hasProgressed = queue.takeProgress()
        activity.isBusy = activity.hasProgressed || !queue.isIdle
    }

    /// The lanes that have something to publish; nil if the queue has been closed.
    private func pendingLanes() async throws -> [Int]? {
        let look = [outbox.pendingLanes(without: pipeline.refusals.waiting)] + outbox.marks()
        let found = try await queue.retrying("look for new rows", context.telemetry) {
            try await context.database.transaction(.snapshot) { try $0.runLast(look) }
        }
        guard let found else { return nil }
        let lanes = try found[0].lanes()
        if try pipeline.housekeeping.noteMarks(found[1...], lanes: outbox.lanes) {
            context.logger.warning("ids of the outbox have gone back: rows that were passed are looked for")
        }
        context.telemetry.polled(pendingLanes: lanes.count, outage: pipeline.sender.producer.outage)
        return lanes
    }

    /// Whether nothing can be published now.
    ///
    /// Rows that wait for their next attempt can't, nor those behind them.
    private func isEmpty() async throws -> Bool {
        // Asked first: the rows of a poll that ends meanwhile are then found below.
        if polls.hasWork { return false }
        let counts = try await queue.retrying("look for publishable rows", context.telemetry) {
            [settings = context.settings] in
            try await context.database.transaction(.snapshot) { transaction -> (waiting: Int64, parked: Int64)? in
                let waiting = pipeline.refusals.waiting
                let publishable = outbox.somePublishable(onFailure: settings.onFailure, without: waiting)
                guard try transaction.run(publishable).isEmpty else { return nil }
                let passed = try transaction.run(outbox.passedLanes()).lanes()
                guard passed.isEmpty else {
                    pipeline.housekeeping.suspect(passed)
                    return nil
                }
                // In the same snapshot: otherwise rows could move from one side to the other unseen.
                if try genesis.hasWork(in: &transaction) { return nil }
                let counts = try transaction.run(outbox.failureCounts()).first
                return (try counts?.integer(0) ?? 0, try counts?.integer(1) ?? 0)
            }
        }
        guard let counts = counts ?? nil else { return false }
        let logger = context.logger
        if counts.waiting > 0 { logger.warning("\(counts.waiting) failed rows wait for their next attempt") }
        for problem in pipeline.refusals.problems { logger.warning("rows wait: \(problem)") }
        if counts.parked > 0 { logger.warning("\(counts.parked) rows are parked, after their last attempt") }
        return true
    }
}
