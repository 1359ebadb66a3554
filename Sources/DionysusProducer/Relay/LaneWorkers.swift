import Dionysus

/// The tasks that publish batches of the lanes that the queue gives them.
struct LaneWorkers: Sendable {
    let pipeline: RelayPipeline
    let queue: LaneQueue
    let count: Int
    /// Whether work ends when the broker refuses the client, which waiting doesn't change.
    var endsWhenRefused = false
    /// Whether work ends when the schema registry refuses the client; otherwise it is asked again, with pauses.
    var endsWhenRegistryRefuses = true

    /// How long a worker keeps a lane that always has more: after that another relay may have it.
    private static let longestTurn = Duration.milliseconds(100)

    /// Works until the queue is closed.
    /// - Throws: ``DionysusError`` with code `accessDenied` if the broker's refusal ends the work.
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
        var failures = Failures()
        while let lane = await queue.next() {
            switch await turn(on: lane, &failures) {
            case .contended: queue.isTaken(lane)
            case .refused(let error): throw error
            case .worked(let hasMore, let hasProgressed, let pause):
                if let pause { await queue.pause(pause) }
                queue.finished(lane, hasMore: hasMore, hasProgressed: hasProgressed)
            }
        }
    }

    /// How often in a row a worker's batches have failed.
    private struct Failures {
        var ofDatabase = 0
        /// A lane without rows shows that the database works, and nothing about the broker.
        var ofBroker = 0
    }

    /// How a worker leaves a lane, or begins its next batch there.
    private enum Ending {
        /// Another relay holds it.
        case contended
        case worked(hasMore: Bool = false, hasProgressed: Bool = false, pause: Duration? = nil)
        /// The broker refuses the client, and that ends the work.
        case refused(DionysusError)
    }

    /// Publishes batches of a lane for as long as it may be kept.
    private func turn(on lane: Int, _ failures: inout Failures) async -> Ending {
        let end = ContinuousClock.now + Self.longestTurn
        var claim: LaneClaim?
        var ending = Ending.worked()
        repeat {
            pipeline.telemetry.began(lane)
            do {
                let outcome: RelayPipeline.Outcome
                (outcome, claim) = try await pipeline.publishBatch(ofLane: lane, claim) {
                    queue.mayKeep() && .now < end
                }
                failures.ofDatabase = 0
                ending = await self.ending(of: outcome, lane, &failures)
            } catch let refusal as RegistryRefusal where endsWhenRegistryRefuses {
                claim = nil
                ending = .refused(refusal.error)
            } catch {
                claim = nil
                failures.ofDatabase += 1
                let cause: any Error = (error as? RegistryRefusal)?.error ?? error
                pipeline.telemetry.failed(cause, lane: lane, attempt: failures.ofDatabase)
                ending = .worked(pause: Backoff.relay.delay(afterFailures: failures.ofDatabase))
            }
            pipeline.telemetry.ended(lane)
            if case .worked(_, hasProgressed: true, _) = ending { queue.progressed() }
        } while claim != nil
        return ending
    }

    private func ending(of outcome: RelayPipeline.Outcome, _ lane: Int, _ failures: inout Failures) async -> Ending {
        switch outcome {
        case .contended:
            await pipeline.reportHeldLane(lane)
            return .contended
        case .empty: return .worked()
        case .settled:
            failures.ofBroker = 0
            return .worked(hasProgressed: true)
        case .full:
            failures.ofBroker = 0
            return .worked(hasMore: true, hasProgressed: true)
        case .brokerUnavailable(let error, _) where endsWhenRefused && error.code == .accessDenied:
            return .refused(error)
        case .brokerUnavailable(let error, let hasProgressed):
            // A broker that takes some messages works: the others need not wait longer and longer.
            failures.ofBroker = hasProgressed ? 1 : failures.ofBroker + 1
            pipeline.telemetry.brokerFailed(error, lane: lane, attempt: failures.ofBroker)
            return .worked(
                hasProgressed: hasProgressed,
                pause: Backoff.relay.delay(afterFailures: failures.ofBroker)
            )
        }
    }
}
