import Dionysus
import Synchronization

/// A broker whose producers refuse the messages that a test chooses, and give the others to a real one.
struct RefusingBroker: MessageBroker {
    let broker: any MessageBroker
    /// The error with which a message is refused; nil to send it.
    let refusal: @Sendable (OutgoingMessage) -> DionysusError?
    /// What a batch waits for before it is sent.
    var gate: @Sendable () async -> Void = {}

    var location: String { broker.location }
    var messagingSystem: String { broker.messagingSystem }

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        RefusingProducer(producer: try await broker.makeProducer(options), refusal: refusal, gate: gate)
    }

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        try await broker.makeConsumer(options)
    }

    func createTopics(_ topics: [TopicSpecification]) async throws { try await broker.createTopics(topics) }

    func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        try await broker.describeTopics(topics)
    }

    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try await broker.offsets(of: partitions)
    }

    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        try await broker.offsets(of: partitions, at: time)
    }

    func close() async { await broker.close() }
}

private struct RefusingProducer: MessageProducer {
    let producer: any MessageProducer
    let refusal: @Sendable (OutgoingMessage) -> DionysusError?
    let gate: @Sendable () async -> Void

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        await gate()
        let refusals = messages.map(refusal)
        let accepted = zip(messages, refusals).filter { $1 == nil }.map(\.0)
        var results = await producer.send(accepted).makeIterator()
        return refusals.compactMap { refusal in refusal.map { .failure($0) } ?? results.next() }
    }

    func purge() { producer.purge() }

    func close(deadline: Duration) async { await producer.close(deadline: deadline) }
}

extension RefusingBroker {
    /// Refuses the messages of a record for good.
    static func rejecting(_ key: String, _ broker: any MessageBroker) -> RefusingBroker {
        RefusingBroker(broker: broker) { message in
            guard message.key == Array(key.utf8) else { return nil }
            return DionysusError(.messageRejected, "the broker refused the message of \(key)")
        }
    }

    /// Is away for a number of messages, then takes all.
    static func away(forMessages count: Int, _ broker: any MessageBroker) -> RefusingBroker {
        let rest = Countdown(count)
        return RefusingBroker(broker: broker) { _ in
            rest.next() ? DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true) : nil
        }
    }
}

private final class Countdown: Sendable {
    private let rest: Mutex<Int>

    init(_ count: Int) { rest = Mutex(count) }

    /// Whether it had not come to its end.
    func next() -> Bool {
        rest.withLock { rest in
            guard rest > 0 else { return false }
            rest -= 1
            return true
        }
    }
}
