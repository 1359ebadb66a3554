public import Dionysus
public import Logging
public import ServiceLifecycle

/// Fires the timers of a process manager when they are due.
///
/// Timers are rows, so that they outlive processes. Several services may run at once.
public struct ProcessTimers<Manager: ProcessManager>: Service {
    private let runner: ProcessRunner<Manager>
    private let database: any Database
    private let pollInterval: Duration
    private let logger: Logger

    /// Creates the service.
    /// - Parameters:
    ///   - runner: The runner whose timers fire.
    ///   - database: The database with the timers and the streams.
    ///   - pollInterval: How often it looks for timers that are due. Default 1 s.
    ///   - logger: Logs that the database is unavailable.
    public init(
        _ runner: ProcessRunner<Manager>,
        _ database: any Database,
        pollInterval: Duration = .seconds(1),
        logger: Logger = Logger(label: "dionysus.events")
    ) {
        self.runner = runner
        self.database = database
        self.pollInterval = pollInterval
        self.logger = logger
    }

    /// Fires timers until the service is shut down.
    /// - Throws: What the manager throws, and ``/Dionysus/DionysusError`` that is not retriable.
    public func run() async throws {
        try await repeating(every: pollInterval, logger, "timers of \(runner.manager.name) wait for the database") {
            try await fire() > 0
        }
    }

    /// Fires the timers that are due at a time.
    /// - Returns: How many there were.
    @discardableResult
    public func fire(at now: Timestamp = .now) async throws -> Int {
        try await database.retryingConcurrentWrites { try runner.fireTimers(at: now, in: &$0) }
    }
}
