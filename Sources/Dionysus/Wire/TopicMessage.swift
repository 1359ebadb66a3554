/// A message as it stands in a topic, read as the wire format has it.
///
/// Reading never fails: what isn't the wire format says so, and keeps its bytes.
public struct TopicMessage: Sendable, Hashable {
    /// What a message says.
    public enum Content: Sendable, Hashable {
        /// Events, in their order.
        case events([Event])
        /// Nothing: no value, or the four characters `null`, which dionysus-rb sends instead.
        case tombstone
        /// Something that isn't the wire format, and why it isn't.
        case other(reason: String)
    }

    /// An event: what happened to one or more records of a model.
    public struct Event: Sendable, Hashable {
        /// The event's name: `rental_created`.
        public let name: String
        /// The model's name: `Rental`.
        public let model: String
        /// The payloads of its records.
        public let data: [JSON]
    }

    /// The partition that holds it.
    public let source: TopicPartition
    /// Its offset there.
    public let offset: Int64
    /// When it was appended, or created, by the broker's or the producer's clock.
    public let timestamp: Timestamp
    /// The message key.
    public let key: [UInt8]?
    /// The value as it came.
    public let value: [UInt8]?
    /// The headers, in their order.
    public let headers: [MessageHeader]
    /// What it says.
    public let content: Content

    /// Reads a message.
    public init(_ message: ConsumedMessage) {
        source = message.source
        offset = message.offset
        timestamp = message.timestamp
        key = message.key
        value = message.value
        headers = message.headers
        content = Self.content(of: message.value)
    }

    /// The events, none if it has none.
    public var events: [Event] {
        guard case .events(let events) = content else { return [] }
        return events
    }

    /// The first event's name.
    public var event: String? { events.first?.name }

    /// The first event's model.
    public var model: String? { events.first?.model }

    /// The first event's first payload.
    public var payload: JSON? { events.first?.data.first }

    /// The message key as text; bytes that aren't UTF-8 are replaced.
    public var keyText: String? { key.map { String(decoding: $0, as: UTF8.self) } }

    /// How recent its snapshot is, if it says so.
    public var version: Int64? { self[header: HeaderName.version].flatMap { Int64($0) } }

    /// The value of a header as text, of several of one name the last.
    public subscript(header name: String) -> String? {
        headers.last { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func content(of value: [UInt8]?) -> Content {
        guard let value, !value.elementsEqual("null".utf8) else { return .tombstone }
        guard let document = try? JSON(parsing: value) else { return .other(reason: "the value is not JSON") }
        guard case .array(let list)? = document["message"] else {
            return .other(reason: "the value has no list of events under \"message\"")
        }
        var events: [Event] = []
        for element in list {
            guard case .string(let name)? = element["event"], case .string(let model)? = element["model_name"],
                case .array(let data)? = element["data"]
            else { return .other(reason: "an event lacks its name, its model's name or its list of data") }
            events.append(Event(name: name, model: model, data: data))
        }
        return .events(events)
    }
}
