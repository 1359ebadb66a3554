/// A list in PostgreSQL's format: `{1,2,NULL}`, `{"a b",c}`, `{{1,2},{3,4}}`.
package enum ArrayLiteral {
    /// Writes a list; nested lists become further dimensions.
    ///
    /// All elements are quoted, which is valid for every type.
    package static func text(of elements: [JSON]) -> String {
        let parts = elements.map { element -> String in
            switch element {
            case .null: "NULL"
            case .array(let elements): text(of: elements)
            case .string(let text): quoted(text)
            default: quoted(element.text)
            }
        }
        return "{\(parts.joined(separator: ","))}"
    }

    /// Writes a list of bytes.
    package static func text(of elements: [[UInt8]?]) -> String {
        text(of: elements.map { $0.map { JSON.string("\\x\($0.hexadecimal)") } ?? .null })
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Parses a list, whose elements are text, nulls and lists.
    /// - Returns: Nil if the text isn't a list.
    package static func elements(of text: String) -> [JSON]? {
        var reader = Reader(bytes: Array(text.utf8)[...])
        // `[0:1]={1,2}` has explicit bounds.
        if reader.bytes.first == UInt8(ascii: "["), let equals = reader.bytes.firstIndex(of: UInt8(ascii: "=")) {
            reader.bytes = reader.bytes[(equals + 1)...]
        }
        guard let elements = reader.list(depth: 0), reader.bytes.isEmpty else { return nil }
        return elements
    }

    private struct Reader {
        /// PostgreSQL's maximum number of dimensions.
        private static let maximumDepth = 6

        var bytes: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard bytes.first == UInt8(ascii: character) else { return false }
            bytes = bytes.dropFirst()
            return true
        }

        mutating func list(depth: Int) -> [JSON]? {
            guard depth < Self.maximumDepth, take("{") else { return nil }
            var elements: [JSON] = []
            if take("}") { return elements }
            while true {
                guard let element = element(depth) else { return nil }
                elements.append(element)
                if take("}") { return elements }
                guard take(",") else { return nil }
            }
        }

        private mutating func element(_ depth: Int) -> JSON? {
            if bytes.first == UInt8(ascii: "{") { return list(depth: depth + 1).map(JSON.array) }
            let isQuoted = take("\"")
            var text: [UInt8] = []
            while let byte = bytes.first {
                if isQuoted ? byte == UInt8(ascii: "\"") : byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") {
                    break
                }
                bytes = bytes.dropFirst()
                guard byte == UInt8(ascii: "\\") else {
                    text.append(byte)
                    continue
                }
                guard let escaped = bytes.popFirst() else { return nil }
                text.append(escaped)
            }
            if isQuoted { guard take("\"") else { return nil } } else if text.isEmpty { return nil }
            if !isQuoted, text.elementsEqual("NULL".utf8) { return .null }
            return .string(String(decoding: text, as: UTF8.self))
        }
    }
}
