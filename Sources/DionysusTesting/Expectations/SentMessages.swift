public import Dionysus
import DionysusConsumer
public import DionysusProducer
public import DionysusSchemas

/// A message that was sent, decoded by its topic's encoding.
public struct SentMessage: Sendable, Hashable {
    /// The topic's full name.
    public let topic: String
    /// The partition.
    public let partition: Int32
    /// The key: a text, or what its schema makes of it; nil without one.
    public let key: JSON?
    /// What it holds; nil for a message without a value.
    public let payload: JSON?
    /// The headers, in their order.
    public let headers: [MessageHeader]

    /// The message as a document, for ``PartialMatch``: key, payload, and headers as text.
    fileprivate var document: JSON {
        let headers = headers.map { JSON.Object.Member($0.name, .string(String(decoding: $0.value, as: UTF8.self))) }
        return ["key": key ?? .null, "payload": payload ?? .null, "headers": .object(JSON.Object(headers))]
    }
}

extension ReplicationTest {
    /// The messages of a topic, decoded by the encoding with which the topic is declared.
    /// - Parameter topic: The topic's full name.
    /// - Returns: The messages.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` for a topic that isn't declared, `malformed` for a message that isn't
    ///   of its encoding.
    public func sent(in topic: String) async throws -> [SentMessage] {
        let raw = broker.consumedMessages(in: topic)
        let read = try await MessageReader(
            encoding(ofTopic: topic),
            registry: schemaRegistry,
            topic: topic
        )
        .read(raw)
        return zip(raw, read)
            .map { message, content in
                SentMessage(
                    topic: topic,
                    partition: message.source.partition,
                    key: content.key,
                    payload: content.value,
                    headers: message.headers
                )
            }
    }

    /// Expects a topic of any encoding to have a message with these attributes, whatever others it has.
    ///
    ///     try await test.expectMessage(["name": "Loft"], key: ["id": 7], headers: ["origin": "test"], in: "feed_rentals")
    /// - Parameters:
    ///   - attributes: What its payload has to have; see ``PartialMatch``.
    ///   - key: What its key has to have; nil for any.
    ///   - headers: Headers that it has to have, as text.
    ///   - topic: The topic's full name.
    /// - Returns: The first such message.
    /// - Throws: ``ExpectationFailure`` with what the closest message lacks; as ``sent(in:)``.
    @discardableResult
    public func expectMessage(
        _ attributes: JSON,
        key: JSON? = nil,
        headers: [String: String] = [:],
        in topic: String
    ) async throws -> SentMessage {
        var expected: JSON.Object = ["payload": attributes]
        if let key { expected["key"] = key }
        if !headers.isEmpty {
            let members = headers.sorted { $0.key < $1.key }.map { JSON.Object.Member($0.key, .string($0.value)) }
            expected["headers"] = .object(JSON.Object(members))
        }
        let messages = try await sent(in: topic)
        return messages[try PartialMatch(.object(expected)).find(in: messages.map(\.document))]
    }

    /// Sends messages as a publisher with the topic's encoding does, and applies them together with the topics' others.
    ///
    ///     try await test.deliver([PlainMessage(["number": 1], key: "a")], in: "feed_notices")
    ///
    /// Messages of one partition are handled in order, all in one batch; messages that can't be are listed by ``failures()``.
    /// - Parameters:
    ///   - messages: The messages.
    ///   - topic: The topic's full name.
    ///   - encoding: How they are written; as the topic is declared by default.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` for a message that doesn't fit the encoding's schema, and as
    ///   ``sent(in:)``.
    public func deliver(_ messages: [PlainMessage], in topic: String, as encoding: TopicEncoding? = nil) async throws {
        let encoder = try await MessageEncoding(
            encoding ?? self.encoding(ofTopic: topic),
            topic: topic,
            registry: schemaRegistry
        )
        try await deliver(
            messages.map { message in
                let encoded = try encoder.encode(message)
                let key = message.partitionKey.map { Array($0.utf8) } ?? encoded.key ?? []
                return OutgoingMessage(
                    topic: topic,
                    destination: .partitioned(by: key),
                    key: encoded.key,
                    value: encoded.value,
                    headers: encoded.headers + message.headers
                )
            }
        )
    }

    private var schemaRegistry: SchemaRegistryClient? {
        settings.producer.schemaRegistry ?? settings.consumer.schemaRegistry
    }

    private func encoding(ofTopic topic: String) throws -> TopicEncoding {
        if let encoding = registry?.encoding(ofTopic: topic) { return encoding }
        if let consumer {
            let topics = ConsumedTopics(consumer, settings: settings.consumer)
            if let encoding = topics.encoding(ofTopic: topic) { return encoding }
        }
        throw DionysusError(
            .notFound,
            "topic \(topic) is declared on neither side of the test",
            advice: "use the full name, with its namespace"
        )
    }
}

/// Expects all data of one Avro schema to be readable with another.
///
///     try expectReadable(AvroSchema(parsing: oldText), by: newSchema)
/// - Parameters:
///   - writer: The schema that data is written with.
///   - reader: The schema that it is read with.
/// - Throws: ``ExpectationFailure`` with the path of all that can't be read.
public func expectReadable(_ writer: AvroSchema, by reader: AvroSchema) throws {
    let faults = reader.incompatibilities(reading: writer)
    guard !faults.isEmpty else { return }
    throw ExpectationFailure(
        expected: "data of \(writer.name ?? "the schema") to be readable by \(reader.name ?? "the other schema")",
        actual: "it isn't:" + faults.map { "\n  \($0)" }.joined()
    )
}
