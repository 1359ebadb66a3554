import Dionysus

/// A value as YAML.
enum YAMLText {
    /// The lines of an object's members.
    static func lines(_ object: JSON.Object) -> [String] { object.members.flatMap { member($0.name, $0.value) } }

    private static func member(_ name: String, _ value: JSON) -> [String] {
        let key = "\(self.name(name)):"
        if let flow = flow(value) { return ["\(key) \(flow)"] }
        switch value {
        case .object(let object): return [key] + lines(object).map(indented)
        case .array(let elements): return [key] + elements.flatMap(element).map(indented)
        case .string(let text):
            return ["\(key) |-"]
                + text.split(separator: "\n", omittingEmptySubsequences: false).map { indented(String($0)) }
        default: return [key]
        }
    }

    private static func element(_ value: JSON) -> [String] {
        if let flow = flow(value) { return ["- \(flow)"] }
        guard case .object(let object) = value else { return ["- \(value.text)"] }
        return lines(object).enumerated().map { $0.offset == 0 ? "- \($0.element)" : indented($0.element) }
    }

    private static func indented(_ line: String) -> String { line.isEmpty ? line : "  \(line)" }

    /// A value on one line, if it is short enough.
    private static func flow(_ value: JSON) -> String? {
        let text: String
        switch value {
        case .null: text = "null"
        case .bool(let flag): text = String(flag)
        case .integer(let number): text = String(number)
        case .number(let number): text = number
        case .string(let string):
            if isBlock(string) { return nil }
            return scalar(string)
        case .array(let elements):
            let flows = elements.compactMap(flow)
            guard flows.count == elements.count else { return nil }
            text = "[\(flows.joined(separator: ", "))]"
        case .object(let object):
            if object.members.isEmpty { return "{}" }
            let flows = object.members.compactMap { member in flow(member.value).map { "\(name(member.name)): \($0)" } }
            guard flows.count == object.members.count else { return nil }
            text = "{ \(flows.joined(separator: ", ")) }"
        }
        return text.count > 100 ? nil : text
    }

    /// Whether a text is best read in lines of its own, and comes back from them as it was.
    private static func isBlock(_ text: String) -> Bool {
        guard text.contains("\n"), !text.contains("${"), text.last != "\n", let first = text.first, !first.isWhitespace
        else {
            return false
        }
        return !text.unicodeScalars.contains { $0 != "\n" && $0.value < 0x20 || $0.value > 0x7E }
    }

    /// A text as a file takes it for one: `$${` stands for what would be a variable.
    private static func scalar(_ text: String) -> String { name(text.replacing("${", with: "$${")) }

    /// A text as YAML takes it for one; in names there are no variables.
    private static func name(_ text: String) -> String {
        let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"]
        let isPlain =
            text.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_.\/-]*\??/) != nil
            || text.wholeMatch(of: /[0-9]{1,9}(ms|s|m|h|d)/) != nil
        if isPlain, !words.contains(text.lowercased()) { return text }
        return JSON.string(text).text
    }
}
