import Dionysus

extension LaneQueue {
    /// Tries until it succeeds, fails for good, or the queue is closed or the task cancelled (then nil is returned).
    func patiently<T: Sendable>(
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
