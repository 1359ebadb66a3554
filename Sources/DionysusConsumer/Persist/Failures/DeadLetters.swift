import Dionysus

/// Sends messages that failed to another topic.
struct DeadLetters: Sendable {
    let producer: any MessageProducer
    let group: String

    /// Sends messages and waits for the acknowledgements.
    /// - Returns: Those that the broker refuses for good, such as messages that are too large with more headers.
    /// - Throws: ``DionysusError`` when the broker is away.
    func send(_ failures: [FailedMessage], to topic: String) async throws -> [FailedMessage] {
        let results = await producer.send(failures.map { $0.letter(to: topic, from: group) })
        var refused: [FailedMessage] = []
        for (failure, result) in zip(failures, results) {
            guard case .failure(let error) = result else { continue }
            if error.isRetriable { throw error }
            refused.append(failure)
        }
        return refused
    }
}

/// A message as it stands in a dead-letter topic.
struct DeadLetter: Sendable {
    /// The headers that are added to the message's own, in this order.
    enum Header: String, CaseIterable {
        case error
        case originalTopic = "original-topic"
        case originalPartition = "original-partition"
        case originalOffset = "original-offset"
        case attempts
        case originalTimestamp = "original-timestamp"
        case originalGroup = "original-consumer-group"
    }

    /// The message as it was, with the topic, partition and offset that it had.
    let message: ConsumedMessage
    /// How often it has been tried.
    let attempts: Int
    /// The group that could not apply it; nil if the letter doesn't say.
    let group: String?

    /// Reads a message of a dead-letter topic.
    /// - Returns: nil if it doesn't say where it comes from.
    init?(_ letter: ConsumedMessage) {
        var headers = letter.headers
        var values: [Header: String] = [:]
        for header in Header.allCases {
            // The message may have brought such a header; the one that was added stands behind it.
            guard let index = headers.lastIndex(where: { $0.name == header.rawValue }) else { continue }
            values[header] = String(decoding: headers.remove(at: index).value, as: UTF8.self)
        }
        guard let topic = values[.originalTopic], let partition = values[.originalPartition].flatMap({ Int32($0) }),
            let offset = values[.originalOffset].flatMap({ Int64($0) })
        else { return nil }
        message = ConsumedMessage(
            source: TopicPartition(topic, partition),
            offset: offset,
            key: letter.key,
            value: letter.value,
            headers: headers,
            timestamp: values[.originalTimestamp].flatMap { Timestamp($0) } ?? letter.timestamp
        )
        attempts = values[.attempts].flatMap { Int($0) } ?? 1
        group = values[.originalGroup]
    }
}

extension FailedMessage {
    /// The message with headers that say where it comes from and what went wrong.
    fileprivate func letter(to topic: String, from group: String) -> OutgoingMessage {
        let additional = DeadLetter.Header.allCases.map { header in
            MessageHeader(header.rawValue, Array(value(of: header, group).utf8))
        }
        return OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: message.key ?? []),
            key: message.key,
            value: message.value,
            headers: message.headers + additional
        )
    }

    private func value(of header: DeadLetter.Header, _ group: String) -> String {
        switch header {
        case .error: "\(error.code): \(error)".storable(upTo: 1_000)
        case .originalTopic: message.source.topic
        case .originalPartition: String(message.source.partition)
        case .originalOffset: String(message.offset)
        case .attempts: String(attempts)
        case .originalTimestamp: message.timestamp.description
        case .originalGroup: group
        }
    }
}
