public import Dionysus

/// An event that has been handled, as the event log has it.
public struct LoggedEvent: Sendable, Hashable {
    /// The event's id in the log.
    public let id: Int64
    /// The group that has handled it.
    package let group: String
    /// The partition of its message.
    public let source: TopicPartition
    /// The offset of its message.
    public let offset: Int64
    /// The number of its record among all records of the message's events, counted from zero.
    package let number: Int
    /// The message key.
    public let key: [UInt8]?
    /// The message's headers.
    package let headers: [MessageHeader]
    /// The model's name on the wire.
    public let model: String
    /// The id of what it is about: the record's, unless a handler has said another.
    public let entityID: String?
    /// When it happened: the payload's time, unless a handler has said another.
    public let time: Timestamp?
    /// What happened: the event's name, unless a handler has said another.
    public let type: String
    /// How recent it is: the message's version, unless a handler has said another.
    public let version: Int64?
    /// The SHA-256 of the payload's text, in hexadecimal digits.
    package let checksum: String
    /// The event as it is on the wire, an object with `event`, `model_name` and a list `data` of one payload, as text.
    public let payload: String
    /// When its message was written.
    package let writtenAt: Timestamp
    /// How often it has been handled.
    package let attempts: Int
    /// When it was handled first.
    public let createdAt: Timestamp
    /// When it was handled last.
    public let handledAt: Timestamp

    /// The columns in the order in which ``init(_:)`` reads them.
    static let columns: SQL = """
        id, "group", topic, "partition", "offset", event_number, "key", headers, model, entity_id, event_time, event_type,
        event_version, checksum, payload, written_at, attempts, created_at, handled_at
        """

    init(_ row: Row) throws {
        let epoch = Timestamp(microseconds: 0)
        id = try row.integer(0) ?? 0
        group = try row.text(1) ?? ""
        source = TopicPartition(try row.text(2) ?? "", Int32(try row.integer(3) ?? 0))
        offset = try row.integer(4) ?? 0
        number = Int(try row.integer(5) ?? 0)
        key = if case .bytes(let bytes) = row[6] { bytes } else { nil }
        headers = try Self.headers(try row.text(7) ?? "[]")
        model = try row.text(8) ?? ""
        entityID = try row.text(9)
        time = try row.timestamp(10)
        type = try row.text(11) ?? ""
        version = try row.integer(12)
        checksum = try row.text(13) ?? ""
        payload = try row.text(14) ?? ""
        writtenAt = try row.timestamp(15) ?? epoch
        attempts = Int(try row.integer(16) ?? 0)
        createdAt = try row.timestamp(17) ?? epoch
        handledAt = try row.timestamp(18) ?? epoch
    }

    private static func headers(_ text: String) throws -> [MessageHeader] {
        guard case .array(let list) = try JSON(parsing: Array(text.utf8)) else { return [] }
        return list.compactMap { header in
            guard case .string(let name)? = header["name"] else { return nil }
            if case .string(let text)? = header["value"] { return MessageHeader(name, Array(text.utf8)) }
            guard case .string(let text)? = header["base64"], let bytes = [UInt8](base64: text) else { return nil }
            return MessageHeader(name, bytes)
        }
    }

    /// The message with this event alone.
    var message: ConsumedMessage {
        ConsumedMessage(
            source: source,
            offset: offset,
            key: key,
            value: Array(#"{"message":[\#(payload)]}"#.utf8),
            headers: headers,
            timestamp: writtenAt
        )
    }
}

/// Which events of the log are meant.
public struct EventLogFilter: Sendable, Hashable {
    /// The full name of their topic; nil for any.
    public var topic: String?
    /// The name of their model; nil for any.
    public var modelName: String?
    /// The id of what they are about; nil for any.
    public var entityID: String?
    /// What happened, such as `rental_updated`; nil for anything.
    public var type: String?
    /// Only events with a higher id, for the next page.
    ///
    /// Default 0.
    public var afterID: Int64
    /// How many events at most, those with the lowest ids.
    ///
    /// Default 50.
    public var limit: Int

    /// Creates a filter.
    /// - Parameters:
    ///   - topic: The full name of their topic; nil for any.
    ///   - modelName: The name of their model; nil for any.
    ///   - entityID: The id of what they are about; nil for any.
    ///   - type: What happened; nil for anything.
    ///   - afterID: Only events with a higher id.
    ///   - limit: How many events at most.
    public init(
        topic: String? = nil,
        modelName: String? = nil,
        entityID: String? = nil,
        type: String? = nil,
        afterID: Int64 = 0,
        limit: Int = 50
    ) {
        self.topic = topic
        self.modelName = modelName
        self.entityID = entityID
        self.type = type
        self.afterID = afterID
        self.limit = limit
    }

    /// The condition on the log's rows.
    var condition: SQL {
        let columns = [("topic", topic), ("model", modelName), ("entity_id", entityID), ("event_type", type)]
        return columns.reduce(into: "id > \(afterID)") { condition, column in
            if let value = column.1 { condition += " AND \(identifier: column.0) = \(value)" }
        }
    }
}
