/// Waits longer after each failure in a row, with jitter, so that many clients don't come back at once.
public struct Backoff: Sendable {
    /// The first wait.
    public var initial: Duration
    /// The longest wait.
    public var maximum: Duration

    /// Creates a backoff.
    public init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
    }

    /// How long to wait after a number of failures in a row.
    /// - Parameter failures: How many; at least one.
    /// - Returns: Between half and all of the exponential delay.
    public func delay(afterFailures failures: Int) -> Duration {
        let delay = min(initial * (1 << min(max(failures - 1, 0), 20)), maximum)
        return delay * Double.random(in: 0.5...1)
    }

    /// Runs an operation until it succeeds or fails for good.
    /// - Parameters:
    ///   - isWorthwhile: Whether to try again after a failure.
    /// - Returns: What the operation returns.
    /// - Throws: An error that isn't retriable, the last one when it isn't worthwhile any more, or `CancellationError`.
    public func retrying<T: Sendable>(
        while isWorthwhile: () -> Bool = { true },
        _ operation: () async throws -> T
    ) async throws -> T {
        var failures = 0
        while true {
            do {
                return try await operation()
            } catch let error as DionysusError where error.isRetriable && isWorthwhile() {
                failures += 1
                try await Task.sleep(for: delay(afterFailures: failures))
            }
        }
    }
}
