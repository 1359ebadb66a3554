public import Dionysus

/// A message with its events, before they have any effect.
public struct IncomingMessage: Sendable {
    /// The message.
    public let message: ConsumedMessage
    /// Its events, one for each record, which can be taken away, changed and put into another order.
    public var events: [IncomingEvent]
    private let version: Int64?
    private let plain: PlainContent?

    init(_ decoded: DecodedMessage) {
        message = decoded.message
        events = decoded.incomingEvents
        version = decoded.version
        plain = decoded.plain
    }

    var decoded: DecodedMessage {
        DecodedMessage(
            message: message,
            version: version,
            events: events.map { DecodedEvent(name: $0.name, model: $0.model, records: [$0.record]) },
            plain: plain
        )
    }
}
