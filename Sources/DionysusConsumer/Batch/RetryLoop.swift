import Dionysus
import Logging
import ServiceLifecycle

/// Runs something again until the database or the broker is there, and says so now and then.
struct RetryLoop: Sendable {
    let backoff: Backoff
    let logger: Logger
    /// Is told that the service waits for the database or the broker.
    var heartbeat: (any Heartbeat)?

    /// Runs an operation until it succeeds or fails for good.
    /// - Throws: An error that isn't retriable; `CancellationError` when the service is to stop.
    func run<T: Sendable>(_ what: String, _ operation: () async throws -> T) async throws -> T {
        var failures = 0
        var lastLogged: ContinuousClock.Instant?
        while true {
            do {
                return try await operation()
            } catch let error as DionysusError where error.isRetriable {
                failures += 1
                heartbeat?.record(VitalSign(.ready, problem: "\(what) is tried again: \(error)"))
                let now = ContinuousClock.now
                if lastLogged.map({ now - $0 > .seconds(30) }) ?? true {
                    logger.warning("\(what) is tried again: \(error)", metadata: ["failures": "\(failures)"])
                    lastLogged = now
                }
                try await pause(afterFailures: failures)
            }
        }
    }

    /// Waits before the next try.
    /// - Throws: `CancellationError` when the service is to stop.
    func pause(afterFailures failures: Int) async throws {
        try await pause(for: backoff.delay(afterFailures: failures))
    }

    /// Waits.
    /// - Throws: `CancellationError` when the service is to stop.
    func pause(for delay: Duration) async throws {
        if Task.isShuttingDownGracefully { throw CancellationError() }
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
        if Task.isShuttingDownGracefully { throw CancellationError() }
    }
}
