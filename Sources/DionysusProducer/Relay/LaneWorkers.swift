import Dionysus

/// The tasks that publish batch after batch, of whatever lanes the queue gives them.
struct LaneWorkers: Sendable {
    let pipeline: RelayPipeline
    let queue: LaneQueue
    let count: Int

    /// How long a worker keeps a lane that always has more: after that another relay may have it.
    private static let longestTurn = Duration.milliseconds(100)

    /// Works until the queue is closed.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count { group.addTask { await work() } }
        }
    }

    private func work() async {
        var failures = 0
        while let lane = await queue.next() {
            let end = ContinuousClock.now + Self.longestTurn
            var next: RelayPipeline.Claim?
            var (hasMore, hasProgressed) = (false, false)
            repeat {
                pipeline.telemetry.began(lane)
                (hasMore, hasProgressed) = (false, false)
                do {
                    let outcome: RelayPipeline.Outcome
                    (outcome, next) = try await pipeline.publishBatch(ofLane: lane, next) {
                        queue.mayKeep() && .now < end
                    }
                    switch outcome {
                    case .busy:
                        failures = 0
                        pipeline.telemetry.laneIsHeld(lane)
                    case .empty: failures = 0
                    case .settled:
                        failures = 0
                        hasProgressed = true
                    case .full:
                        failures = 0
                        (hasMore, hasProgressed) = (true, true)
                    case .brokerUnavailable(let error, let isPartial):
                        // What takes some messages is there: the others need not wait longer and longer.
                        failures = isPartial ? 1 : failures + 1
                        hasProgressed = isPartial
                        pipeline.telemetry.brokerFailed(error, lane: lane, attempt: failures)
                    }
                } catch {
                    next = nil
                    failures += 1
                    pipeline.telemetry.failed(error, lane: lane, attempt: failures)
                }
                pipeline.telemetry.ended(lane)
                if hasProgressed { queue.progressed() }
            } while next != nil
            if failures > 0 { await queue.pause(Backoff.relay.delay(afterFailures: failures)) }
            queue.finished(lane, hasMore: hasMore, hasProgressed: hasProgressed)
        }
    }
}

extension Backoff {
    /// How the relay waits for a database or a broker that is away.
    static let relay = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
}
