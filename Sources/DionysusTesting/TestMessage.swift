public import Dionysus

/// A message for a test to consume, as another application would publish it.
///
///     try await test.deliver(
///         TestMessage("rental_created", of: "Rental", in: "v3_rentals", ["id": 1, "name": "By the sea"])
///     )
public struct TestMessage: Sendable {
    /// The full name of the topic.
    public var topic: String
    /// The message key.
    public var key: String?
    /// The partition key; the message key by default.
    public var partitionKey: String?
    /// The value; nil is a tombstone.
    public var value: [UInt8]?
    /// The version of its snapshot; nil omits the header.
    public var version: Int64?
    /// Additional headers.
    public var headers: [MessageHeader] = []

    /// Creates a message with one event.
    /// - Parameters:
    ///   - event: The event's name: `rental_updated`.
    ///   - model: The name of the records' model.
    ///   - topic: The topic's full name.
    ///   - payloads: The payloads of the event's records.
    ///   - version: The version of its snapshot; nil omits the header, and the records' times decide what is newer.
    public init(
        _ event: String,
        of model: String,
        in topic: String,
        _ payloads: JSON...,
        version: Int64? = nil
    ) {
        self.topic = topic
        self.version = version
        value =
            JSON.object([
                "message": [["event": .string(event), "model_name": .string(model), "data": .array(payloads)]]
            ])
            .bytes
        key = payloads.first?["id"]
            .map { id in
                if case .string(let text) = id { return "\(model):\(text)" }
                return "\(model):\(id.text)"
            }
    }

    /// Creates a message with any bytes.
    public init(value: [UInt8]?, key: String?, in topic: String) {
        self.topic = topic
        self.key = key
        self.value = value
    }

    var outgoing: OutgoingMessage {
        var headers = headers
        if let version { headers.append(MessageHeader(HeaderName.version, Array(String(version).utf8))) }
        let key = key.map { Array($0.utf8) }
        return OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: partitionKey.map { Array($0.utf8) } ?? key ?? []),
            key: key,
            value: value,
            headers: headers
        )
    }
}
