import Dionysus

/// A message that is no model's, with the bytes that it will be sent with.
struct StoredMessage: Sendable {
    /// What rows of such messages have in the place of a model's name.
    static let className = "dionysus_message"
    static let event = EventName(className, .created)
    static let table = "dionysus_messages"

    let id: String
    let key: [UInt8]?
    let value: [UInt8]?
    let headers: [MessageHeader]

    var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.reduce(0) { $0 + $1.value.count } }
}

extension StoredMessage {
    /// The columns in the order in which ``init(_:)`` reads them.
    static let columns: SQL = "m.id, m.message_key, m.message_value, m.headers"

    init(_ row: Row) throws {
        id = try row.text(0) ?? ""
        key = if case .bytes(let bytes) = row[1] { bytes } else { nil }
        value = if case .bytes(let bytes) = row[2] { bytes } else { nil }
        headers = Self.headers(try row.text(3) ?? "[]")
    }

    private static func headers(_ text: String) -> [MessageHeader] {
        guard case .array(let list)? = try? JSON(parsing: Array(text.utf8)) else { return [] }
        return list.compactMap { header in
            guard case .string(let name)? = header["name"] else { return nil }
            // What a trigger writes is text.
            if case .string(let text)? = header["text"] { return MessageHeader(name, Array(text.utf8)) }
            guard case .string(let value)? = header["value"], let bytes = [UInt8](base64: value) else { return nil }
            return MessageHeader(name, bytes)
        }
    }

    /// Headers as they are stored: any bytes can be one's value.
    static func text(of headers: [MessageHeader]) -> String {
        JSON.array(headers.map { ["name": .string($0.name), "value": .string($0.value.base64Encoded)] }).text
    }
}

extension OutboxRow {
    /// Whether it is about a message and not about a record.
    var isOfPlainMessage: Bool { resourceClass == StoredMessage.className }

    /// The id of its message; nil for a row about a record.
    var plainMessageID: String? {
        guard isOfPlainMessage, case .string(let id)? = changedValues?["message"] else { return nil }
        return id
    }
}

extension RecordGroup {
    var isOfPlainMessages: Bool { modelName == StoredMessage.className }
}
