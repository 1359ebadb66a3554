import Dionysus
import DionysusConsumer
import DionysusProducer

/// Something that could not be published or applied.
public struct ReplicationFailure: Sendable, Hashable, CustomStringConvertible {
    /// Where it failed.
    public enum Side: Sendable, Hashable {
        /// A row of the outbox could not be published.
        case producer
        /// A message could not be applied.
        case consumer
    }

    /// Where it failed.
    public let side: Side
    /// The topic's full name.
    public let topic: String
    /// The record, `Rental:1`, or the message's position in its topic, `0/17`.
    public let subject: String
    /// The error.
    public let message: String

    public var description: String { "\(side) of \(topic), \(subject): \(message)" }
}

extension ReplicationTest {
    /// The rows and messages that could not be published or applied so far, including dead letters.
    /// - Returns: The failures, those of the producer first.
    /// - Throws: As a transaction.
    public func failures() async throws -> [ReplicationFailure] {
        try await producerFailures() + consumerFailures() + deadLetters()
    }

    func expectNoFailures() async throws {
        let failures = try await failures()
        guard failures.isEmpty else {
            throw ExpectationFailure(
                expected: "everything to be published and applied",
                actual: "there were failures:\n" + failures.map { "- \($0)" }.joined(separator: "\n")
            )
        }
    }

    private func producerFailures() async throws -> [ReplicationFailure] {
        guard registry != nil else { return [] }
        return try await OutboxInspector(database: source.faulty.base)
            .entries(OutboxFilter(scope: .failed, limit: 1_000))
            .map { row in
                ReplicationFailure(
                    side: .producer,
                    topic: row.topic,
                    subject: "\(row.modelName):\(row.recordID)",
                    message: row.errorMessage ?? "no reason is known"
                )
            }
    }

    private func consumerFailures() async throws -> [ReplicationFailure] {
        guard consumer != nil else { return [] }
        return try await replica.read { transaction in
            try transaction.run(
                """
                SELECT topic, "partition", "offset", error_message FROM dionysus_failures
                ORDER BY topic, "partition", "offset"
                """
            )
            .rows
            .map { row in
                let place = "\(try row.integer(1) ?? 0)/\(try row.integer(2) ?? 0)"
                return ReplicationFailure(
                    side: .consumer,
                    topic: try row.text(0) ?? "",
                    subject: place,
                    message: try row.text(3) ?? ""
                )
            }
        }
    }

    private func deadLetters() -> [ReplicationFailure] {
        guard let consumer else { return [] }
        return ConsumedTopics(consumer, settings: settings.consumer).deadLetterNames
            .flatMap { name in messages(in: name).map { (name, $0) } }
            .map { name, message in
                ReplicationFailure(
                    side: .consumer,
                    topic: name,
                    subject: message.keyText ?? "a message without a key",
                    message: message.deadLetterReason
                )
            }
    }
}

extension TopicMessage {
    /// The reason from its headers why it is a dead letter.
    fileprivate var deadLetterReason: String {
        let reasons = headers.filter { $0.name.contains("error") }
            .map { "\($0.name) \(String(decoding: $0.value, as: UTF8.self))" }
        return reasons.isEmpty ? "a dead letter" : reasons.joined(separator: ", ")
    }
}
