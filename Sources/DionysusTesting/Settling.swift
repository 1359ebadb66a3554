public import Dionysus
import DionysusConsumer
import DionysusProducer
import Logging

extension ReplicationTest {
    /// How often both sides take turns at most: a consumer that writes to the source causes another turn.
    private static let turns = 10

    /// Publishes what is to be published and applies it, until nothing is left to do.
    ///
    /// A fault that the test has asked for is waited for, as in production: one that doesn't end by itself has to be
    /// taken back by another task.
    /// - Parameter allowingFailures: Whether rows that can't be published, and messages that can't be applied, are what
    ///   the test is about.
    /// - Throws: ``ExpectationFailure`` for such rows and messages, unless they are allowed, and when the sides never
    ///   come to rest; otherwise what relay and consumer throw.
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

    /// Publishes everything that is in the outbox; without a producer it does nothing.
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

    /// Applies everything that is in the declared topics; without a consumer it does nothing.
    /// - Throws: What the consumer throws.
    public func consume() async throws {
        guard let consumer else { return }
        try await ConsumerService(
            consumer,
            database: replica.database,
            broker: broker,
            settings: settings.consumer,
            stopsWhenCaughtUp: true,
            logger: .quiet
        )
        .run()
    }

    /// Sends messages, as another application would, and applies them together with whatever is in the topics.
    ///
    /// Messages of one partition are applied in their order; all of them come in one batch.
    /// - Throws: What sending and the consumer throw; a message that can't be applied is no error, but is found by
    ///   ``failures()``.
    public func deliver(_ messages: TestMessage...) async throws { try await deliver(messages) }

    /// Sends messages, as another application would, and applies them together with whatever is in the topics.
    /// - Throws: As ``deliver(_:)-(TestMessage...)``.
    public func deliver(_ messages: [TestMessage]) async throws {
        let client = broker.client()
        let producer = try await client.makeProducer(ProducerOptions(clientID: "test"))
        for result in await producer.send(messages.map(\.outgoing)) { _ = try result.get() }
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
