import Dionysus

extension LaneQueue {
    /// Repeats an operation until it succeeds or fails for good.
    /// - Parameters:
    ///   - purpose: What it is for, after "could not": `look for new rows`.
    ///   - telemetry: Reports each failure.
    /// - Returns: Its result; nil if the queue was closed or the task cancelled before it succeeded.
    func retrying<T: Sendable>(
        _ purpose: String,
        _ telemetry: RelayTelemetry,
        _ operation: () async throws -> T
    ) async throws -> T? {
        var failures = 0
        while !isClosed, !Task.isCancelled {
            do {
                let result = try await operation()
                if failures > 0 { telemetry.logger.info("could \(purpose) again after \(failures) failures") }
                return result
            } catch let error as DionysusError where error.isRetriable {
                failures += 1
                telemetry.failed(error, to: purpose, attempt: failures)
                await pause(Backoff.relay.delay(afterFailures: failures))
            }
        }
        return nil
    }
}

extension Backoff {
    /// How the relay waits for a database or a broker that is away.
    static let relay = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
}
