public import Dionysus
public import Logging
public import ServiceLifecycle

/// Extends the global order of events whenever something has been appended.
///
/// Run it beside the relay. It is an optimization for readers: those that find events without numbers number them
/// themselves.
public struct EventOrdering: Service {
    private let database: any CapturingDatabase
    private let pollInterval: Duration
    private let logger: Logger

    /// Creates the service.
    /// - Parameters:
    ///   - database: The database with the streams.
    ///   - pollInterval: How often it looks for events. Default 200 ms.
    ///   - logger: Logs that the database is unavailable.
    public init(
        _ database: any CapturingDatabase,
        pollInterval: Duration = .milliseconds(200),
        logger: Logger = Logger(label: "dionysus.events")
    ) {
        self.database = database
        self.pollInterval = pollInterval
        self.logger = logger
    }

    /// Extends the order until the service is shut down.
    /// - Throws: What is not passing: ``/Dionysus/DionysusError`` that is not retriable.
    public func run() async throws {
        try await repeating(every: pollInterval, logger, "the order of events is not extended") {
            try await EventOrder().extend(on: database)
            return false
        }
    }
}

/// Repeats work until the service is shut down; errors that may pass are logged, and the work is tried again.
/// - Parameter work: Returns whether there is more to do at once.
func repeating(
    every interval: Duration,
    _ logger: Logger,
    _ problem: String,
    _ work: @escaping @Sendable () async throws -> Bool
) async throws {
    try await cancelWhenGracefulShutdown {
        let backoff = Backoff(initial: interval, maximum: max(interval, .seconds(5)))
        var failures = 0
        while !Task.isCancelled {
            do {
                let hasMore = try await work()
                failures = 0
                if hasMore { continue }
                try await Task.sleep(for: interval)
            } catch is CancellationError {
                return
            } catch  where mayPass(error) {
                failures += 1
                if failures == 1 { logger.warning("\(problem): \(error)") }
                do { try await Task.sleep(for: backoff.delay(afterFailures: failures)) } catch { return }
            }
        }
    }
}

/// Whether the same work may succeed later.
private func mayPass(_ error: any Error) -> Bool {
    switch error {
    case let error as DionysusError: error.isRetriable
    case let error as StreamConflict: error.found == .concurrentWriter
    default: false
    }
}
