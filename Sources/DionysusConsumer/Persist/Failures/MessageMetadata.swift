import Dionysus

/// What a failure keeps of its message besides key and value, without loss: `{"timestamp_us":…,"headers":[…]}`.
///
/// A header is an object with `name` and `value`, or with `name_base64` or `value_base64` for bytes that are not text which
/// every database can hold.
struct MessageMetadata: Sendable {
    let timestamp: Timestamp?
    let headers: [MessageHeader]

    init(_ message: ConsumedMessage) {
        timestamp = message.timestamp
        headers = message.headers
    }

    /// Reads what was stored.
    ///
    /// At first headers stood under their names in one object, and there was no time.
    init(_ json: JSON) {
        if case .integer(let microseconds)? = json["timestamp_us"] {
            timestamp = Timestamp(microseconds: microseconds)
        } else {
            timestamp = nil
        }
        switch (json, json["headers"]) {
        case (_, .array(let elements)): headers = elements.compactMap(Self.header)
        case (.object(let object), _):
            headers = object.members.compactMap { member in
                guard case .string(let text) = member.value else { return nil }
                return MessageHeader(member.name, Array(text.utf8))
            }
        default: headers = []
        }
    }

    var json: JSON {
        var object: JSON.Object = [:]
        // Brokers pass on whatever number a client has sent as time, so that not every one is a date.
        object["timestamp_us"] = timestamp.map { .integer($0.microseconds) }
        object["headers"] = .array(
            headers.map { header in
                let name = Self.member("name", Array(header.name.utf8))
                return .object(JSON.Object([name, Self.member("value", header.value)]))
            }
        )
        return .object(object)
    }

    private static func member(_ name: String, _ bytes: [UInt8]) -> JSON.Object.Member {
        if !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) { return .init(name, .string(text)) }
        return .init("\(name)_base64", .string(bytes.base64Encoded))
    }

    private static func bytes(_ name: String, in header: JSON) -> [UInt8]? {
        if case .string(let text)? = header[name] { return Array(text.utf8) }
        guard case .string(let text)? = header["\(name)_base64"] else { return nil }
        return [UInt8](base64: text)
    }

    private static func header(_ json: JSON) -> MessageHeader? {
        guard let name = bytes("name", in: json), let value = bytes("value", in: json) else { return nil }
        return MessageHeader(String(decoding: name, as: UTF8.self), value)
    }
}
