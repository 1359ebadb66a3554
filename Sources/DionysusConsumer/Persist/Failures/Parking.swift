import Dionysus

/// Applies the topic's failure policy to failed messages.
struct Parking: Sendable {
    let deadLetters: DeadLetters?
    let retry: RetryLoop
    let telemetry: ConsumerTelemetry

    /// Parks messages.
    /// - Parameters:
    ///   - policy: What their topic chose.
    ///   - sent: The offsets of messages that have gone to the dead-letter topic already.
    /// - Returns: Those that are to be recorded in the database, and the offsets of those that were sent.
    /// - Throws: The first failure, if the topic chose to stop; `CancellationError` when the service is to stop.
    func park(
        _ failures: [FailedMessage],
        by policy: FailedMessagePolicy,
        except sent: Set<Int64>
    ) async throws -> (recorded: [FailedMessage], sent: Set<Int64>) {
        let failures = failures.filter { !sent.contains($0.message.offset) }
            .sorted { $0.message.offset < $1.message.offset }
        switch policy {
        case .record: return (failures, [])
        case .skip: return ([], [])
        case .stop:
            if let first = failures.first { throw first.error }
            return ([], [])
        case .deadLetter(let topic, _):
            guard let deadLetters else { return (failures, []) }
            let refused = try await retry.run("send to \(topic)") {
                try await deadLetters.send(failures, to: topic)
            }
            for failure in refused { telemetry.refused(failure, by: topic) }
            let recorded = Set(refused.map(\.message.offset))
            return (refused, Set(failures.map(\.message.offset)).subtracting(recorded))
        }
    }
}
