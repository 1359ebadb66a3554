public import Dionysus

/// `dionysus.respond`: the broker has acknowledged a message.
///
/// It is published on the event bus after the acknowledgement, and for rows of the outbox after they have been marked as
/// published. There is none for a message that failed. A message that is sent again, because the relay was killed before it
/// could mark it, has an event each time; one whose relay is killed right after marking it has none.
public struct RespondEvent: BusEvent {
    public static let name = "dionysus.respond"

    /// One event of a message.
    public struct Event: Sendable, Hashable {
        /// The event's name: `rental_updated`.
        public let name: String
        /// The model's name.
        public let model: String
        /// The ids of its records, where they are known.
        public let ids: [String]

        package init(name: String, model: String, ids: [String]) {
            self.name = name
            self.model = model
            self.ids = ids
        }
    }

    /// The topic.
    public let topic: String
    /// The events of the message; their payloads are in its ``value``.
    public let events: [Event]
    /// The message key; nil if it has none.
    public let key: String?
    /// The partition key; nil if the message key decided.
    public let partitionKey: String?
    /// The message's value, as the broker has it; nil for a tombstone.
    public let value: [UInt8]?
    /// The headers.
    public let headers: [MessageHeader]
    /// The partition that the broker has put it in.
    public let partition: Int32
    /// The message's offset there.
    public let offset: Int64

    package init(
        _ message: OutgoingMessage,
        events: [Event],
        partitionKey: String?,
        _ acknowledgement: Acknowledgement
    ) {
        topic = message.topic
        self.events = events
        key = message.key.map { String(decoding: $0, as: UTF8.self) }
        self.partitionKey = partitionKey
        value = message.value
        headers = message.headers
        partition = acknowledgement.partition
        offset = acknowledgement.offset
    }
}
