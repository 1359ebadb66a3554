import Dionysus
import DionysusConsumer

/// A message's value, for people: JSON with hidden members, or bytes.
struct Payload: Sendable {
    /// The value as JSON, if it is.
    let document: JSON?
    /// What is shown otherwise.
    private let text: String?

    /// The most bytes that are shown.
    static let limit = 256 * 1024
    /// The most bytes that a value may have with indented lines.
    private static let maxIndented = 1024 * 1024
    /// The most levels that are indented.
    private static let maxLevels = 32

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

    /// A message's value: decoded, if it is data of a registry's schema.
    init(_ message: ReadMessage, _ mask: Mask) {
        guard let record = message.record, message.message.value?.count ?? 0 <= Self.limit else {
            self.init(message.message.value, mask)
            return
        }
        self.init(document: mask.applied(to: record))
    }

    private init(document: JSON) {
        self.document = document
        text = nil
    }

    private static func excerpt(_ bytes: [UInt8]) -> String {
        let shown = bytes.prefix(limit)
        let rest = bytes.count > limit ? "\n… and \(bytes.count - limit) bytes more" : ""
        if let text = String(validating: shown, as: UTF8.self) { return text + rest }
        let lines = stride(from: 0, to: min(shown.count, 4096), by: 16)
            .map { start in
                shown[start..<min(start + 16, shown.count)].map { [$0].hexadecimal }.joined(separator: " ")
            }
        return lines.joined(separator: "\n") + (shown.count > 4096 ? "\n…" : rest)
    }

    var json: JSON { document ?? text.map(JSON.string) ?? .null }

    /// The value with indented lines; on one line if those would take too much.
    var pretty: String {
        guard let document else { return text ?? "no value: a tombstone" }
        var lines = ""
        return Self.append(document, 0, to: &lines) ? lines : document.text
    }

    /// Writes a value with indented lines.
    /// - Returns: Whether there was room for it.
    private static func append(_ json: JSON, _ level: Int, to lines: inout String) -> Bool {
        guard lines.utf8.count <= maxIndented else { return false }
        switch json {
        case .object(let object) where !object.members.isEmpty:
            var start = "{\n"
            for member in object.members {
                lines += "\(start)\(indent(level + 1))\(JSON.string(member.name).text): "
                guard append(member.value, level + 1, to: &lines) else { return false }
                start = ",\n"
            }
            lines += "\n\(indent(level))}"
        case .array(let elements) where !elements.isEmpty:
            var start = "[\n"
            for element in elements {
                lines += "\(start)\(indent(level + 1))"
                guard append(element, level + 1, to: &lines) else { return false }
                start = ",\n"
            }
            lines += "\n\(indent(level))]"
        default: lines += json.text
        }
        return true
    }

    private static func indent(_ level: Int) -> String { String(repeating: "  ", count: min(level, maxLevels)) }
}
