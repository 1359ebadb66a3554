/// A message in a topic, parsed according to the wire format.
///
/// Parsing never fails: a message in another format is marked as such and keeps its bytes.
public struct TopicMessage: Sendable, Hashable {
    /// The content of a message.
    public enum Content: Sendable, Hashable {
        /// Events, in order.
        case events([Event])
        /// A tombstone: no value, or the four characters `null`, which dionysus-rb sends instead.
        case tombstone
        /// Another format, with the reason why it isn't the wire format.
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
    /// The time at which it was appended (broker's clock) or created (producer's clock).
    public let timestamp: Timestamp
    /// The message key.
    public let key: [UInt8]?
    /// The raw value.
    public let value: [UInt8]?
    /// The headers, in their order.
    public let headers: [MessageHeader]
    /// The parsed content; of a CloudEvent, that of its data.
    public let content: Content
    /// The version of its snapshot, if it has one.
    public let version: Int64?

    /// Parses a message.
    package init(_ message: ConsumedMessage) { self.init(message, data: nil) }

    /// Takes a message whose value has been read by its schema.
    /// - Parameter data: What the value is, as JSON; nil if it wasn't read.
    package init(_ message: ConsumedMessage, data: JSON?) {
        source = message.source
        offset = message.offset
        timestamp = message.timestamp
        key = message.key
        value = message.value
        headers = message.headers
        let event = try? CloudEvent(message)
        content = data.map { Self.content(of: $0) } ?? Self.content(of: event.map(\.data) ?? message.value)
        let header = message.headers.last { $0.name == HeaderName.version }
        version = (event?[CloudEvent.version] ?? header.map { String(decoding: $0.value, as: UTF8.self) })
            .flatMap { Int64($0) }
    }

    /// The events; empty if it has none.
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

    /// The value of a header as text; if several have the name, the last one.
    public subscript(header name: String) -> String? {
        headers.last { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func content(of value: [UInt8]?) -> Content {
        guard let value, !value.elementsEqual("null".utf8) else { return .tombstone }
        guard let document = try? JSON(parsing: value) else { return .other(reason: "the value is not JSON") }
        return content(of: document)
    }

    private static func content(of document: JSON) -> Content {
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
