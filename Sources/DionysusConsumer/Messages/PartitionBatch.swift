import Dionysus

/// Messages of one partition, in the order of their offsets.
struct PartitionBatch: Sendable {
    let partition: TopicPartition
    let messages: [ConsumedMessage]
    /// The offset that follows the last of them.
    let next: Int64

    /// - Returns: nil if there are no messages.
    init?(_ partition: TopicPartition, _ messages: some Collection<ConsumedMessage>) {
        guard let last = messages.map(\.offset).max() else { return nil }
        self.partition = partition
        self.messages = Array(messages)
        next = last + 1
    }

    /// What is remembered of the last of them.
    var mark: LogMark? { messages.last.map { LogMark($0) } }

    /// The same for code of the application.
    var messageBatch: MessageBatch { MessageBatch(partition: partition, messages: messages) }

    /// The messages that a stored offset leaves to be applied; nil if there are none.
    func following(_ cursor: OffsetCursor) -> PartitionBatch? {
        guard let stored = cursor.stored else { return self }
        return PartitionBatch(partition, messages.filter { $0.offset >= stored })
    }

    /// The two halves; nil for a single message.
    var halves: (PartitionBatch, PartitionBatch)? {
        guard messages.count > 1, let first = PartitionBatch(partition, messages[..<(messages.count / 2)]),
            let second = PartitionBatch(partition, messages[(messages.count / 2)...])
        else { return nil }
        return (first, second)
    }
}

extension [FailedMessage] {
    /// The failures with the messages as they came from the broker, so that what is kept of them can be read once more.
    func asReceived(_ messages: [ConsumedMessage]) -> [FailedMessage] {
        guard !isEmpty else { return [] }
        let received = Dictionary(messages.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
        return map { failure in
            let message = received[failure.message.offset] ?? failure.message
            return FailedMessage(message: message, error: failure.error, attempts: failure.attempts)
        }
    }
}

extension [DecodedMessage] {
    /// Those that have not failed.
    func without(_ failures: [FailedMessage]) -> [DecodedMessage] {
        guard !failures.isEmpty else { return self }
        let failed = Set(failures.map(\.message.offset))
        return filter { !failed.contains($0.message.offset) }
    }

    /// The models of which records were destroyed.
    var destroyedModels: Set<String> {
        reduce(into: []) { models, message in
            for event in message.events where event.name.change == .destroyed { models.insert(event.model) }
        }
    }

    /// The names of all models, also of those whose records came along in others.
    var modelNames: Set<String> {
        var names: Set<String> = []
        func collect(_ record: RecordPayload) {
            for sideload in record.sideloads {
                names.insert(sideload.model)
                sideload.records.forEach(collect)
            }
        }
        for message in self {
            for event in message.events where !event.records.isEmpty {
                names.insert(event.model)
                event.records.forEach(collect)
            }
        }
        return names
    }
}
