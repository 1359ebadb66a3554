import Dionysus

/// A value of any origin, before a schema says what it is meant for.
indirect enum AvroInput: Sendable {
    case scalar(DatabaseValue)
    case list([AvroInput])
    case object([Member])

    struct Member: Sendable {
        let name: String
        let value: AvroInput
    }

    init(_ json: JSON) {
        switch json {
        case .null: self = .scalar(.null)
        case .bool(let value): self = .scalar(.bool(value))
        case .integer(let value): self = .scalar(.integer(value))
        case .number(let digits):
            if let decimal = ExactDecimal(digits) {
                self = .scalar(.decimal(decimal))
            } else {
                self = .scalar(Double(digits).map { $0.isFinite ? .double($0) : .text(digits) } ?? .text(digits))
            }
        case .string(let text): self = .scalar(.text(text))
        case .array(let elements): self = .list(elements.map { AvroInput($0) })
        case .object(let object):
            self = .object(object.members.map { Member(name: $0.name, value: AvroInput($0.value)) })
        }
    }

    init(_ value: DatabaseValue) {
        switch value {
        case .array(_, let elements): self = .list(elements.map { AvroInput($0) })
        case .json(let text):
            guard let json = try? JSON(parsing: Array(text.utf8)) else { fallthrough }
            self = AvroInput(json)
        default: self = .scalar(value)
        }
    }

    var json: JSON {
        switch self {
        // A number of a document stays a number.
        case .scalar(.decimal(let value)) where value.isNumber: .number(value.description)
        case .scalar(let value): JSON(databaseValue: value)
        case .list(let elements): .array(elements.map(\.json))
        case .object(let members): .object(JSON.Object(members.map { JSON.Object.Member($0.name, $0.value.json) }))
        }
    }

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .list: "a list"
        case .object: "an object"
        case .scalar(let value):
            switch value {
            case .null: "null"
            case .bool: "a boolean"
            case .integer: "a whole number"
            case .double, .decimal: "a number"
            case .text: "text"
            case .timestamp: "a point in time"
            case .uuid: "a UUID"
            case .json: "a document"
            case .bytes: "bytes"
            case .array: "a list"
            }
        }
    }

    /// Whether a union's branch is to be tried.
    /// - Parameter exactly: Whether the value has to be of the branch's own type, or can become it.
    func suits(_ type: AvroType, exactly: Bool) -> Bool {
        switch self {
        case .list:
            switch type.kind {
            case .array: return exactly
            case .string: return !exactly && type.holdsJSON
            default: return false
            }
        case .object(let members):
            switch type.kind {
            case .record(let record): return exactly && members.allSatisfy { record.places[$0.name] != nil }
            case .map: return !exactly
            case .string: return !exactly && type.holdsJSON
            case .fixed: return !exactly && type.logical == .duration
            default: return false
            }
        case .scalar(let value): return Self.suits(value, type, exactly: exactly)
        }
    }

    private static func suits(_ value: DatabaseValue, _ type: AvroType, exactly: Bool) -> Bool {
        guard exactly else {
            switch type.kind {
            case .null, .array, .map, .record, .union: return false
            default: return true
            }
        }
        switch (value, type.kind, type.logical) {
        case (.bool, .boolean, _), (.bytes, .bytes, nil), (.bytes, .fixed, nil): return true
        case (.integer, .int, nil), (.integer, .long, nil): return true
        case (.double, .float, _), (.double, .double, _): return true
        case (.decimal, _, .decimal?): return true
        // A number of JSON with a fraction.
        case (.decimal, .float, _), (.decimal, .double, _): return true
        case (.timestamp, .long, .some): return true
        case (.uuid, _, .uuid?): return true
        case (.text, .enumeration, _): return true
        case (.text, .string, nil): return true
        default: return false
        }
    }
}

extension AvroType {
    /// Whether a text of this type can hold any document.
    var holdsJSON: Bool { logical == nil || logical == .json }
}

/// Numbers in text, as they are taken from forms and other programs.
enum IntegerText {
    /// A whole number: with a sign, with `_` between digits, with the prefixes `0x`, `0o`, `0b`, and `0` for octal, and with
    /// white space around it, as Ruby's `Integer()` reads it.
    static func value(_ text: String) -> Int64? {
        var digits = Substring(trimmed(text))
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = first == "-" ? "-" : ""
            digits.removeFirst()
        }
        var radix = 10
        let prefixes: [(String, Int)] = [("0x", 16), ("0b", 2), ("0o", 8), ("0d", 10)]
        if let (prefix, base) = prefixes.first(where: { digits.lowercased().hasPrefix($0.0) }) {
            radix = base
            digits.removeFirst(prefix.count)
        } else if digits.hasPrefix("0"), digits.count > 1 {
            radix = 8
            digits.removeFirst()
            if digits.hasPrefix("_") { digits.removeFirst() }
        }
        guard let plain = withoutUnderscores(digits), plain.first?.isHexDigit == true else { return nil }
        return Int64(sign + plain, radix: radix)
    }

    /// A number with `_` between digits and white space around it, or one of the words that JSON can't do without.
    static func double(_ text: String) -> Double? {
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: break
        }
        guard let plain = withoutUnderscores(trimmed(text)),
            plain.utf8.allSatisfy({ byte in
                (48..<58).contains(byte) || [43, 45, 46, 69, 101].contains(byte)
            }), let value = Double(plain), value.isFinite
        else { return nil }
        return value
    }

    private static func trimmed(_ text: String) -> Substring {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    private static func withoutUnderscores(_ digits: Substring) -> String? {
        guard !digits.isEmpty, !digits.hasPrefix("_"), !digits.hasSuffix("_"), !digits.contains("__") else {
            return nil
        }
        return digits.filter { $0 != "_" }
    }
}
