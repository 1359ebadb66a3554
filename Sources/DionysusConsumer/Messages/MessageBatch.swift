public import Dionysus

/// Messages of one partition that are worked on together, in the order of their offsets.
public struct MessageBatch: Sendable {
    /// The partition.
    public let partition: TopicPartition
    /// The messages as they came from the broker; at least one.
    public let messages: [ConsumedMessage]
    /// The offset that follows the last of them.
    let next: Int64

    /// - Returns: nil if there are no messages.
    init?(_ partition: TopicPartition, _ messages: some Collection<ConsumedMessage>) {
        guard let last = messages.map(\.offset).max() else { return nil }
        self.partition = partition
        self.messages = Array(messages)
        next = last + 1
    }

    /// A batch of one message.
    init(_ message: ConsumedMessage) {
        partition = message.source
        messages = [message]
        next = message.offset + 1
    }

    /// The messages from an offset on; nil if there are none.
    func following(_ offset: Int64?) -> MessageBatch? {
        guard let offset else { return self }
        return MessageBatch(partition, messages.filter { $0.offset >= offset })
    }

    /// The two halves; nil for a single message.
    var halves: (MessageBatch, MessageBatch)? {
        guard messages.count > 1, let first = MessageBatch(partition, messages[..<(messages.count / 2)]),
            let second = MessageBatch(partition, messages[(messages.count / 2)...])
        else { return nil }
        return (first, second)
    }
}
