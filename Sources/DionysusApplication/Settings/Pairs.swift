/// Parses `name=value;name=value`.
///
/// In a value in double quotes, a `;` is literal, and `\"` and `\\` are a quote and a backslash. Without quotes, `\;`
/// is a `;`, and any other backslash is literal.
/// - Returns: The pairs; nil if the text has another form.
func parsePairs(_ text: String) -> [String: String]? {
    var pairs: [String: String] = [:]
    var rest = text[...]
    while true {
        rest = rest.drop { $0 == " " || $0 == ";" }
        guard !rest.isEmpty else { return pairs }
        guard let separator = rest.firstIndex(of: "=") else { return nil }
        let name = rest[..<separator].trimmingBlanks
        guard !name.isEmpty, !name.contains(";") else { return nil }
        rest = rest[rest.index(after: separator)...].drop { $0 == " " }
        guard let value = rest.first == "\"" ? takeQuoted(&rest) : takePlain(&rest) else { return nil }
        pairs[name] = value
    }
}

private func takePlain(_ rest: inout Substring) -> String? {
    var value = ""
    while let character = rest.popFirst() {
        if character == ";" { break }
        let isEscape = character == "\\" && rest.first == ";"
        value.append(isEscape ? rest.removeFirst() : character)
    }
    return value.trimmingBlanks
}

private func takeQuoted(_ rest: inout Substring) -> String? {
    rest.removeFirst()
    var value = ""
    while let character = rest.popFirst() {
        switch character {
        case "\"":
            rest = rest.drop { $0 == " " }
            return rest.isEmpty || rest.first == ";" ? value : nil
        case "\\":
            guard let next = rest.popFirst(), next == "\"" || next == "\\" else { return nil }
            value.append(next)
        default:
            value.append(character)
        }
    }
    return nil
}

extension StringProtocol {
    fileprivate var trimmingBlanks: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
