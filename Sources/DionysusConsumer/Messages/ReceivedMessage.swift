public import Dionysus

/// A message that is no model's, as it was read by its topic's encoding.
public struct ReceivedMessage<Payload: Sendable>: Sendable {
    /// The message, as the last middleware left it.
    public let message: ConsumedMessage
    /// What it holds; nil for a message without a value.
    public let payload: Payload?
    /// The key: a text, or what the key's schema makes of it; nil without one.
    public let key: JSON?

    /// The topic.
    public var topic: String { message.source.topic }

    /// The id that the publisher gave the message, the same in every delivery; nil if it gave none.
    public var id: String? {
        message.headers.last { $0.name == HeaderName.eventID }.map { String(decoding: $0.value, as: UTF8.self) }
    }
}

/// The value and the key of a message that is no model's.
struct PlainContent: Sendable {
    /// Nil for a message without a value.
    let value: JSON?
    let key: JSON?
}
