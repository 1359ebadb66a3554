import Dionysus
import ServiceLifecycle

/// Hears of what failed and is tried again until it succeeds.
protocol RetryObserver: Sendable {
    /// A try has failed.
    /// - Parameters:
    ///   - activity: What was tried, to stand after "could not".
    ///   - partition: The partition that it was for, if it was for one.
    ///   - attempt: How many tries have failed in a row.
    ///   - trouble: Stands for all of them.
    func failed(
        _ error: DionysusError,
        to activity: String,
        _ partition: TopicPartition?,
        attempt: Int,
        _ trouble: inout Trouble?
    )

    /// What had failed has succeeded, or is not tried any more.
    func recovered(from trouble: Trouble?)
}

/// Something that is tried again until it succeeds.
struct Trouble: Sendable, Hashable {
    let number: Int
}

/// Repeats something until the database or the broker is back.
struct RetryLoop: Sendable {
    private let backoff: Backoff
    private let observer: any RetryObserver

    init(maximumDelay: Duration, observer: any RetryObserver) {
        backoff = Backoff(initial: .milliseconds(100), maximum: maximumDelay)
        self.observer = observer
    }

    /// Runs an operation until it succeeds or fails for good.
    /// - Parameters:
    ///   - activity: What is done, to stand after "could not": `look up the replicas`.
    ///   - partition: The partition that it is done for, if it is for one.
    ///   - fault: What it is not run again for, because something else can be done.
    /// - Returns: What the operation returns.
    /// - Throws: An error that isn't retriable, or has that code; `CancellationError` when the service is to stop.
    func run<T: Sendable>(
        _ activity: String,
        for partition: TopicPartition? = nil,
        unless fault: DionysusError.Code? = nil,
        _ operation: () async throws -> T
    ) async throws -> T {
        var failures = 0
        var trouble: Trouble?
        defer { observer.recovered(from: trouble) }
        while true {
            do {
                return try await operation()
            } catch let error as DionysusError where error.isRetriable && error.code != fault {
                failures += 1
                observer.failed(error, to: activity, partition, attempt: failures, &trouble)
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
