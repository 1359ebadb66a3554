import Dionysus

/// Sends messages that failed to another topic.
struct DeadLetters: Sendable {
    let producer: any MessageProducer

    /// Sends messages and waits for the acknowledgements.
    /// - Returns: Those that the broker refuses for good, such as messages that are too large with more headers.
    /// - Throws: ``DionysusError`` when the broker is away.
    func send(_ failures: [FailedMessage], to topic: String) async throws -> [FailedMessage] {
        let results = await producer.send(failures.map { letter(for: $0, topic) })
        var refused: [FailedMessage] = []
        for (failure, result) in zip(failures, results) {
            guard case .failure(let error) = result else { continue }
            if error.isRetriable { throw error }
            refused.append(failure)
        }
        return refused
    }

    private func letter(for failure: FailedMessage, _ topic: String) -> OutgoingMessage {
        let message = failure.message
        let additional = [
            ("error", "\(failure.error.code): \(failure.error)"),
            ("original-topic", message.source.topic),
            ("original-partition", String(message.source.partition)),
            ("original-offset", String(message.offset)),
            ("attempts", String(failure.attempts)),
        ]
        return OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: message.key ?? []),
            key: message.key,
            value: message.value,
            headers: message.headers + additional.map { MessageHeader($0.0, Array($0.1.utf8)) }
        )
    }
}
