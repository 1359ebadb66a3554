import Dionysus

/// A record as the key of its messages names it: `Rental:1`.
struct MessageKey {
    let model: String
    let id: String

    /// - Returns: nil for what is not `MODEL_NAME:ID`.
    init?(_ key: [UInt8]?) {
        guard let key, let text = String(validating: key, as: UTF8.self) else { return nil }
        // An id may have colons; a model's name has them in pairs only, between the modules of a Ruby class.
        var start = text.startIndex
        while let colon = text[start...].firstIndex(of: ":") {
            let next = text.index(after: colon)
            guard next < text.endIndex, text[next] == ":" else {
                guard colon > text.startIndex else { return nil }
                model = String(text[..<colon])
                id = String(text[next...])
                return
            }
            start = text.index(after: next)
        }
        return nil
    }
}

extension String {
    /// A name from a message, cleaned for an error or a log.
    var inMessage: String {
        let isPlain = utf8.count <= 64 && utf8.allSatisfy { (0x20..<0x7f).contains($0) }
        if isPlain { return self }
        let scalars = unicodeScalars.prefix(64).map { $0.properties.generalCategory == .control ? "?" : $0 }
        return String(String.UnicodeScalarView(scalars)) + (unicodeScalars.count > 64 ? "…" : "")
    }
}

extension EventName {
    /// Whether a text looks like a model's name, and not like the beginning of an id with a colon.
    static func isModel(_ text: String) -> Bool {
        guard let first = text.utf8.first, (65...90).contains(first) else { return false }
        return true
    }
}
