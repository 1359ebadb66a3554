import Dionysus
import ServiceLifecycle

/// Runs something again until the database or the broker is there.
struct RetryLoop: Sendable {
    let backoff: Backoff
    let telemetry: ConsumerTelemetry

    init(_ settings: ConsumerSettings, _ telemetry: ConsumerTelemetry) {
        backoff = Backoff(initial: .milliseconds(100), maximum: settings.maxRetryDelay)
        self.telemetry = telemetry
    }

    /// Runs an operation until it succeeds or fails for good.
    /// - Parameters:
    ///   - activity: What is done, to stand after "could not": `look up the replicas`.
    ///   - partition: The partition that it is done for, if it is for one.
    ///   - fault: What it is not run again for, because something else can be done.
    ///   - operation: The operation.
    /// - Returns: What the operation returns.
    /// - Throws: An error that isn't retriable, or has that code; `CancellationError` when the service is to stop.
    func run<T: Sendable>(
        _ activity: String,
        for partition: TopicPartition? = nil,
        unless fault: DionysusError.Code? = nil,
        _ operation: () async throws -> T
    ) async throws -> T {
        var failures = 0
        var trouble: ConsumerVitals.Trouble?
        defer { telemetry.recovered(from: trouble) }
        while true {
            do {
                return try await operation()
            } catch let error as DionysusError where error.isRetriable && error.code != fault {
                failures += 1
                telemetry.failed(error, to: activity, partition, attempt: failures, &trouble)
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
