public import Dionysus

/// A broker whose producers refuse the messages that a test chooses, and give the others to a real one.
public struct RefusingBroker: BrokerWrapper {
    public let base: any MessageBroker
    /// The error with which a message is refused; nil to send it.
    let refusal: @Sendable (OutgoingMessage) -> DionysusError?
    /// What a batch waits for before it is sent.
    let gate: @Sendable () async -> Void

    public init(
        base: any MessageBroker,
        refusal: @escaping @Sendable (OutgoingMessage) -> DionysusError?,
        gate: @escaping @Sendable () async -> Void = {}
    ) {
        self.base = base
        self.refusal = refusal
        self.gate = gate
    }

    public func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        RefusingProducer(producer: try await base.makeProducer(options), refusal: refusal, gate: gate)
    }
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
    public static func rejecting(_ key: String, _ broker: any MessageBroker) -> RefusingBroker {
        RefusingBroker(base: broker) { message in
            guard message.key == Array(key.utf8) else { return nil }
            return DionysusError(.messageRejected, "the broker refused the message of \(key)")
        }
    }

    /// Is away for a number of messages, then takes all.
    public static func away(forMessages count: Int, _ broker: any MessageBroker) -> RefusingBroker {
        let rest = Countdown(count)
        return RefusingBroker(base: broker) { _ in
            rest.next() ? DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true) : nil
        }
    }
}
