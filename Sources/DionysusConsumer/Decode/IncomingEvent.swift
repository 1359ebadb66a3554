public import Dionysus

/// An event as it was read from its message, before it has any effect.
public struct IncomingEvent: Sendable {
    /// The message.
    public let message: ConsumedMessage
    /// The event's name: `rental_updated`.
    public let name: EventName
    /// The model's name on the wire.
    public let model: String
    /// The payload under the names it has here.
    public let data: JSON.Object
}

extension DecodedMessage {
    /// The message's events, one for each record.
    var incomingEvents: [IncomingEvent] {
        events.flatMap { event in
            event.records.map { record in
                IncomingEvent(message: message, name: event.name, model: event.model, data: record.data)
            }
        }
    }
}
