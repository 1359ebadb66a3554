import Dionysus

/// A message's value, for people: JSON with hidden members, or bytes.
struct Payload: Sendable {
    /// The value as JSON, if it is.
    let document: JSON?
    /// What is shown otherwise.
    private let text: String?

    /// The most bytes that are shown.
    static let limit = 256 * 1024

    init(_ bytes: [UInt8]?, _ mask: Mask) {
        guard let bytes else {
            (document, text) = (nil, nil)
            return
        }
        if bytes.count <= Self.limit, let json = try? JSON(parsing: bytes) {
            (document, text) = (mask.applied(to: json), nil)
        } else {
            document = nil
            // What can't be read can't be masked.
            text = mask.isEmpty ? Self.excerpt(bytes) : "\(bytes.count) bytes"
        }
    }

    private static func excerpt(_ bytes: [UInt8]) -> String {
        let shown = bytes.prefix(limit)
        let rest = bytes.count > limit ? "\n… and \(bytes.count - limit) bytes more" : ""
        if let text = String(validating: shown, as: UTF8.self) { return text + rest }
        let digits = Array("0123456789abcdef")
        let lines = stride(from: 0, to: min(shown.count, 4096), by: 16)
            .map { start in
                shown[start..<min(start + 16, shown.count)]
                    .map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: " ")
            }
        return lines.joined(separator: "\n") + (shown.count > 4096 ? "\n…" : rest)
    }

    var json: JSON { document ?? text.map(JSON.string) ?? .null }

    /// The value with indented lines.
    var pretty: String { document.map { Self.indented($0, "") } ?? text ?? "no value: a tombstone" }

    private static func indented(_ json: JSON, _ indent: String) -> String {
        let deeper = indent + "  "
        switch json {
        case .object(let object) where !object.members.isEmpty:
            let lines = object.members.map { "\(deeper)\(JSON.string($0.name).text): \(indented($0.value, deeper))" }
            return "{\n\(lines.joined(separator: ",\n"))\n\(indent)}"
        case .array(let elements) where !elements.isEmpty:
            return "[\n\(elements.map { deeper + indented($0, deeper) }.joined(separator: ",\n"))\n\(indent)]"
        default: return json.text
        }
    }
}
