import Dionysus

/// The tasks that publish batch after batch, of whatever lanes the queue gives them.
struct LaneWorkers: Sendable {
    let pipeline: RelayPipeline
    let queue: LaneQueue
    let count: Int
    /// Whether it ends when the broker refuses the client: nothing changes by waiting, but for who corrects it.
    var endsWhenRefused = false

    /// How long a worker keeps a lane that always has more: after that another relay may have it.
    private static let longestTurn = Duration.milliseconds(100)

    /// Works until the queue is closed.
    /// - Throws: ``DionysusError`` with code `accessDenied` if it is to end of that.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    do {
                        try await work()
                    } catch {
                        queue.close()
                        throw error
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func work() async throws {
        // A lane without rows shows that the database is there, and nothing of the broker.
        var (failures, brokerFailures) = (0, 0)
        while let lane = await queue.next() {
            let end = ContinuousClock.now + Self.longestTurn
            var next: RelayPipeline.Claim?
            var (hasMore, hasProgressed, isTaken) = (false, false, false)
            var delay: Duration?
            var refusal: DionysusError?
            repeat {
                pipeline.telemetry.began(lane)
                (hasMore, hasProgressed, delay) = (false, false, nil)
                do {
                    let outcome: RelayPipeline.Outcome
                    (outcome, next) = try await pipeline.publishBatch(ofLane: lane, next) {
                        queue.mayKeep() && .now < end
                    }
                    failures = 0
                    switch outcome {
                    case .busy:
                        isTaken = true
                        await pipeline.tellHeldLane(lane)
                    case .empty: break
                    case .settled: (hasProgressed, brokerFailures) = (true, 0)
                    case .full: (hasMore, hasProgressed, brokerFailures) = (true, true, 0)
                    case .brokerUnavailable(let error, _) where endsWhenRefused && error.code == .accessDenied:
                        refusal = error
                    case .brokerUnavailable(let error, let isPartial):
                        // What takes some messages is there: the others need not wait longer and longer.
                        brokerFailures = isPartial ? 1 : brokerFailures + 1
                        hasProgressed = isPartial
                        delay = Backoff.relay.delay(afterFailures: brokerFailures)
                        pipeline.telemetry.brokerFailed(error, lane: lane, attempt: brokerFailures)
                    }
                } catch {
                    next = nil
                    failures += 1
                    delay = Backoff.relay.delay(afterFailures: failures)
                    pipeline.telemetry.failed(error, lane: lane, attempt: failures)
                }
                pipeline.telemetry.ended(lane)
                if hasProgressed { queue.progressed() }
            } while next != nil
            if let refusal { throw refusal }
            if let delay { await queue.pause(delay) }
            if isTaken {
                queue.isTaken(lane)
            } else {
                queue.finished(lane, hasMore: hasMore, hasProgressed: hasProgressed)
            }
        }
    }
}

extension Backoff {
    /// How the relay waits for a database or a broker that is away.
    static let relay = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
}
