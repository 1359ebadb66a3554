/// Delays that grow with each consecutive failure, with jitter, so that clients don't all retry at once.
package struct Backoff: Sendable {
    /// The first delay.
    package var initial: Duration
    /// The longest delay.
    package var maximum: Duration

    /// Creates a backoff.
    package init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
    }

    /// The delay after a number of consecutive failures.
    /// - Parameter failures: The number of failures; at least one.
    /// - Returns: Between half and all of the exponential delay.
    package func delay(afterFailures failures: Int) -> Duration {
        let delay = min(initial * (1 << min(max(failures - 1, 0), 20)), maximum)
        return delay * Double.random(in: 0.5...1)
    }

    /// Runs an operation until it succeeds or fails for good.
    /// - Parameters:
    ///   - isWorthwhile: Whether to try again after a failure.
    /// - Throws: An error that isn't retriable, the last error if a retry isn't worthwhile, or `CancellationError`.
    package func retrying<T: Sendable>(
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
