import Dionysus

/// A group member that answers assignments automatically.
struct TrialReader {
    let consumer: any MessageConsumer
    /// The start position of assigned partitions.
    let position: StartPosition
    let patience: Duration
    private(set) var owned: Set<TopicPartition> = []
    private var buffered: [ConsumedMessage] = []

    init(consumer: any MessageConsumer, position: StartPosition, patience: Duration) {
        self.consumer = consumer
        self.position = position
        self.patience = patience
    }

    /// Waits until the member owns and has started this many partitions.
    mutating func join(owning count: Int) async throws {
        let deadline = ContinuousClock.now + patience
        while owned.count < count {
            guard let event = try await nextEvent(until: deadline) else {
                throw ConformanceFailure(
                    expected: "\(count) partitions to be assigned within \(patience)",
                    actual: "there were \(owned.count)"
                )
            }
            if case .messages(let messages) = event { buffered += messages }
        }
    }

    /// Reads at least this many messages.
    mutating func read(_ count: Int) async throws -> [ConsumedMessage] {
        let deadline = ContinuousClock.now + patience
        var messages = buffered
        buffered = []
        while messages.count < count {
            guard let event = try await nextEvent(until: deadline) else {
                throw ConformanceFailure(
                    expected: "\(count) messages within \(patience)",
                    actual: "there were \(messages.count)"
                )
            }
            switch event {
            case .messages(let batch): messages += batch
            case .outOfRange(let partition, let range):
                throw ConformanceFailure(
                    expected: "messages",
                    actual: "the position in \(partition) was not between \(range.first) and \(range.next)"
                )
            case .assigned, .revoked, .lost, .reached: break
            }
        }
        return messages
    }

    /// The next event, after answering assignments and revocations; nil when the time is up.
    mutating func nextEvent(until deadline: ContinuousClock.Instant) async throws -> ConsumerEvent? {
        let rest = deadline - .now
        guard rest > .zero, let event = try await consumer.next(maxMessages: 1_000, timeout: rest) else { return nil }
        switch event {
        case .assigned(let partitions):
            owned.formUnion(partitions)
            try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, position) }))
        case .revoked(let partitions):
            owned.subtract(partitions)
            try await consumer.release(partitions)
        case .lost(let partitions): owned.subtract(partitions)
        case .messages, .reached, .outOfRange: break
        }
        return event
    }

    func close() async { await consumer.close() }
}
