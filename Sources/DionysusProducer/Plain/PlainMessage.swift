public import Dionysus

/// A message that is no model's.
public struct PlainMessage: Sendable {
    /// What it holds; nil for a message without a value.
    public var value: JSON?
    /// The key; nil where the encoding has none, or takes it from the value.
    public var key: JSON?
    /// What the message is spread over partitions by; nil where the key does that.
    ///
    /// Messages with one partition key, or else with one key, are sent in their order.
    public var partitionKey: String?
    /// Headers of the application's.
    public var headers: [MessageHeader]
    /// What happened, in which the type of a CloudEvent ends: `announcement_made`.
    ///
    /// Default nil: the type ends in the topic's name.
    public var event: String?

    /// Creates a message.
    /// - Parameters:
    ///   - value: What it holds, as JSON.
    ///   - key: The key.
    ///   - partitionKey: What it is spread over partitions by.
    ///   - headers: Headers of the application's.
    public init(
        _ value: JSON?,
        key: JSON? = nil,
        partitionKey: String? = nil,
        headers: [MessageHeader] = []
    ) {
        self.value = value
        self.key = key
        self.partitionKey = partitionKey
        self.headers = headers
    }

    /// Creates a message.
    /// - Parameters:
    ///   - value: What it holds.
    ///   - key: The key.
    ///   - partitionKey: What it is spread over partitions by.
    ///   - headers: Headers of the application's.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for a value that can't be encoded.
    public init(
        encoding value: some Encodable,
        key: JSON? = nil,
        partitionKey: String? = nil,
        headers: [MessageHeader] = []
    ) throws {
        do {
            self.init(
                try JSONTreeEncoder().encode(record: value),
                key: key,
                partitionKey: partitionKey,
                headers: headers
            )
        } catch is EncodingError {
            // The error may quote the value.
            throw DionysusError(.malformed, "a message of type \(type(of: value)) can't be encoded")
        }
    }
}
