public import Dionysus

/// An event of one record as it was read from its message, before it has any effect.
public struct IncomingEvent: Sendable {
    /// The message, as the last middleware left it.
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

    /// The topic of its message.
    public var topic: String { message.source.topic }

    /// The record's number among all records of the message's events, counted from zero.
    public var number: Int { record.origin?.number ?? 0 }

    /// The payload as it is on the wire, with its links and sideloaded records.
    public var payload: JSON.Object { record.origin?.payload ?? JSON.Object() }

    /// The payload under the names it has here.
    public var data: JSON.Object {
        get { record.data }
        set { record = record.replacing(data: newValue) }
    }

    /// When the record was in this state, at the latest: its time of change, else of creation; nil if it says neither.
    public var time: Timestamp? { record.time }

    /// The record's id at the source, as text; nil if the payload has none.
    public var entityID: String? { record.id?.idText }

    /// The id that the producer gave the event, the same in every delivery; nil if it gave none.
    public var eventID: String? {
        message.headers.last { $0.name == HeaderName.eventID }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    var place: EventPlace { EventPlace(offset: message.offset, number: number) }
}

/// The place of an event in its partition.
struct EventPlace: Sendable, Hashable {
    let offset: Int64
    let number: Int
}

extension DecodedMessage {
    /// The message's events, one for each record.
    var incomingEvents: [IncomingEvent] {
        events.flatMap { event in event.records.map { IncomingEvent($0, of: event, in: self) } }
    }
}

extension JSON {
    /// An id as text, the same whether it stands as a number or as text.
    var idText: String { if case .string(let text) = self { text } else { text } }
}
