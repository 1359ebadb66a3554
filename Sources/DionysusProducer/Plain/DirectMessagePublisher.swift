public import Dionysus
import DionysusSchemas
public import Logging

import struct Foundation.UUID

/// Publishes messages that are no model's without the outbox: directly, or in the background.
///
///     let notices = try await DirectMessagePublisher(registry, topic: "feed_notices", broker: broker)
///     try await notices.publish(PlainMessage(["text": "hello"]))                  // the broker has it
///     try notices.publishInBackground(PlainMessage(["text": "not so important"])) // it will be tried
///     await notices.close()
///
/// Nothing ties such a message to a transaction: it may be sent although the transaction is rolled back, and is lost if the
/// process dies before it is sent. Where that matters, use ``MessagePublisher``.
public final class DirectMessagePublisher: Sendable {
    private let topic: String
    private let encoding: MessageEncoding
    private let producer: any MessageProducer
    private let background: BackgroundMessages
    private let timeout: Duration

    /// Creates a publisher, and asks the schema registry for what its messages are written with.
    /// - Parameters:
    ///   - registry: The declaration that has the topic.
    ///   - topic: The topic's full name.
    ///   - broker: The broker.
    ///   - settings: The settings, for the schema registry and the connection to the broker.
    ///   - instrumentation: Its error handler gets the failures of messages that are sent in the background.
    ///   - logger: Logs those failures if there is no such handler.
    /// - Throws: ``/Dionysus/DionysusError`` as ``MessagePublisher/init(_:topic:database:settings:)``, and `configuration` for
    ///   settings that the broker's client does not take.
    public init(
        _ registry: Registry,
        topic: String,
        broker: any MessageBroker,
        settings: ProducerSettings = ProducerSettings(),
        instrumentation: Instrumentation = Instrumentation(),
        logger: Logger = Logger(label: "dionysus.publisher")
    ) async throws {
        self.topic = topic
        encoding = try await MessageEncoding(ofTopic: topic, registry, settings)
        timeout = settings.messageTimeout
        let errorHandler = instrumentation.errorHandler(logger: logger)
        producer = try await broker.makeProducer(settings.producerOptions)
        background = BackgroundMessages(producer) { error, message in
            var error = error
            // It is not tried again, whatever the error says.
            error.isRetriable = false
            errorHandler.handle(error, ErrorContext("send a message in the background", topic: message.topic))
        }
    }

    /// Publishes a message, and waits until the broker has acknowledged it.
    /// - Parameter message: The message.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` with the path of the field for a message that doesn't fit its schema,
    ///   or that lacks its key; else why the broker has not taken it. After `brokerUnavailable` it may have arrived.
    public func publish(_ message: PlainMessage) async throws { try await publish(contentsOf: [message]) }

    /// Publishes messages, and waits until the broker has acknowledged them.
    /// - Parameter messages: The messages; those with one partition key, or else with one key, keep this order.
    /// - Throws: As ``publish(_:)``: before any is sent if one doesn't fit, else the first failure, after all have been tried.
    public func publish(contentsOf messages: [PlainMessage]) async throws {
        guard !DisabledTopics.contains(topic) else { return }
        let outgoing = try messages.map(outgoing)
        guard !outgoing.isEmpty else { return }
        for result in await producer.send(outgoing) { _ = try result.get() }
    }

    /// Publishes messages without waiting for the broker.
    ///
    /// They are sent in their order, after those that wait already. One that the broker doesn't take is not tried again; the
    /// error handler gets the failure.
    /// - Parameter messages: The messages.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` for a message that doesn't fit, and then none is sent; `conflict` if
    ///   10,000 messages or 64 MB wait already; `closed` after ``close()``.
    public func publishInBackground(_ messages: PlainMessage...) throws {
        guard !DisabledTopics.contains(topic) else { return }
        try background.add(try messages.map(outgoing))
    }

    /// Sends what waits, then closes the connection to the broker.
    public func close() async {
        await background.close()
        await producer.close(deadline: timeout)
    }

    private func outgoing(_ message: PlainMessage) throws -> OutgoingMessage {
        let encoded = try encoding.encode(message)
        let id = Array(UUID().uuidString.lowercased().utf8)
        var outgoing = OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: message.partitionKey.map { Array($0.utf8) } ?? encoded.key ?? id),
            key: encoded.key,
            value: encoded.value,
            headers: [MessageHeader(HeaderName.eventID, id)] + encoded.headers + message.headers
                + (TraceContext.current()?.headers ?? [])
        )
        encoding.complete(&outgoing)
        return outgoing
    }
}
