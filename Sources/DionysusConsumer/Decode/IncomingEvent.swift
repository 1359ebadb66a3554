public import Dionysus

/// An event of one record as it was read from its message, before it has any effect.
public struct IncomingEvent: Sendable {
    /// The message.
    public let message: ConsumedMessage
    /// The event's name: `rental_updated`.
    public let name: EventName
    /// The model's name on the wire.
    public let model: String
    /// How recent the message's snapshot is; nil if it doesn't say so.
    public let version: Int64?
    private(set) var record: RecordPayload

    init(_ record: RecordPayload, of event: DecodedEvent, in message: DecodedMessage) {
        self.message = message.message
        name = event.name
        model = event.model
        version = message.version
        self.record = record
    }

    /// The payload under the names it has here.
    public var data: JSON.Object {
        get { record.data }
        set { record = record.replacing(data: newValue) }
    }

    /// When the record was in this state, at the latest: its time of change, else of creation; nil if it says neither.
    public var time: Timestamp? { record.time }
}

extension DecodedMessage {
    /// The message's events, one for each record.
    var incomingEvents: [IncomingEvent] {
        events.flatMap { event in event.records.map { IncomingEvent($0, of: event, in: self) } }
    }
}
