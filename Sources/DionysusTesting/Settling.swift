public import Dionysus
import DionysusConsumer
import DionysusProducer
import Logging

extension ReplicationTest {
    /// The maximum number of turns: a consumer that writes to the source causes another turn.
    private static let turns = 10

    /// Publishes and applies changes until nothing is left to do.
    ///
    /// It waits for injected faults to end, as in production: another task must end a permanent one.
    /// - Parameter allowingFailures: Whether to tolerate rows that can't be published and messages that can't be
    ///   applied.
    /// - Throws: ``ExpectationFailure`` for such rows and messages, unless they are allowed, and if the sides never
    ///   settle; otherwise the errors of relay and consumer.
    public func settle(allowingFailures: Bool = false) async throws {
        for turn in 1... {
            try await relay()
            try await consume()
            guard try await hasPending() else { break }
            guard turn < Self.turns else {
                throw ExpectationFailure(
                    expected: "nothing left to publish after \(turn) turns of relay and consumer",
                    actual: "there was; does the consumer write to the source whatever it gets?"
                )
            }
        }
        if !allowingFailures { try await expectNoFailures() }
    }

    /// Publishes the outbox's rows; without a producer it does nothing.
    /// - Throws: What the relay throws.
    public func relay() async throws {
        guard let registry else { return }
        try await RelayService(
            registry,
            database: source.database,
            broker: broker,
            settings: settings.producer,
            mode: .untilEmpty,
            logger: .quiet
        )
        .run()
    }

    /// Applies the declared topics' messages; without a consumer it does nothing.
    /// - Throws: What the consumer throws.
    public func consume() async throws {
        guard let consumer else { return }
        try await ConsumerService(
            consumer,
            database: replica.database,
            broker: broker,
            settings: settings.consumer,
            mode: .untilCaughtUp,
            logger: .quiet
        )
        .run()
    }

    /// Sends messages, as another application would, and applies them together with the topics' other messages.
    ///
    /// Messages of one partition are applied in order, all in one batch.
    /// - Throws: Errors of sending and of the consumer; messages that can't be applied are not thrown, but listed by
    ///   ``failures()``.
    public func deliver(_ messages: TestMessage...) async throws { try await deliver(messages) }

    /// Sends messages, as another application would, and applies them together with the topics' other messages.
    /// - Throws: As ``deliver(_:)-(TestMessage...)``.
    public func deliver(_ messages: [TestMessage]) async throws { try await deliver(messages.map(\.outgoing)) }

    func deliver(_ messages: [OutgoingMessage]) async throws {
        let client = broker.client()
        let producer = try await client.makeProducer(ProducerOptions(clientID: "test"))
        for result in await producer.send(messages) { _ = try result.get() }
        await client.close()
        try await consume()
    }

    /// Everything in a topic, decoded, in the order in which it was published.
    /// - Parameter topic: The topic's full name.
    /// - Returns: The messages; none if there is no such topic.
    public func messages(in topic: String) -> [TopicMessage] { broker.messages(in: topic) }

    private func hasPending() async throws -> Bool {
        guard registry != nil else { return false }
        return try await OutboxInspector(database: source.faulty.base).statistics().contains { $0.pending > 0 }
    }
}

extension Logger {
    fileprivate static var quiet: Logger { Logger(label: "dionysus.test") { _ in SwiftLogNoOpLogHandler() } }
}
