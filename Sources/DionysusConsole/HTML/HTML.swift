import Dionysus

/// Markup whose interpolated values are escaped, so that no value can become markup.
///
///     let row: HTML = "<td title=\"\(time)\">\(name)</td>"
///
/// Only literals and other ``HTML`` are taken as they are. Values in attributes have to be in double quotes.
struct HTML: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// The markup.
    private(set) var text: String

    static let none: HTML = ""

    init(stringLiteral value: String) { text = value }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// Escapes a text.
    init(escaping value: String) { text = Self.escaped(value) }

    var isEmpty: Bool { text.isEmpty }

    static func + (left: HTML, right: HTML) -> HTML {
        var sum = left
        sum.text += right.text
        return sum
    }

    static func += (left: inout HTML, right: HTML) { left.text += right.text }

    private static func escaped(_ value: String) -> String {
        var result = ""
        // What is invisible or turns the order around is made visible as well.
        for character in value.printable(keepingLines: true).unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Collects literals and values.
    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        mutating func appendLiteral(_ literal: String) { text += literal }

        /// A text, escaped.
        mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }

        /// A text, escaped; nothing if there is none.
        mutating func appendInterpolation(_ value: String?) { if let value { text += HTML.escaped(value) } }

        /// A number.
        mutating func appendInterpolation(_ value: some BinaryInteger) { text += "\(value)" }

        /// Markup.
        mutating func appendInterpolation(_ value: HTML) { text += value.text }

        /// Markup; nothing if there is none.
        mutating func appendInterpolation(_ value: HTML?) { if let value { text += value.text } }

        /// Markup, one after another.
        mutating func appendInterpolation(_ values: [HTML]) { for value in values { text += value.text } }

        /// An attribute without a value if a condition holds.
        mutating func appendInterpolation(_ name: StaticString, if condition: Bool) {
            if condition { text += " \(name)" }
        }
    }
}

extension Sequence where Element == HTML {
    /// All elements with a separator between them.
    func joined(separator: HTML) -> HTML {
        var result = HTML.none
        for (index, element) in enumerated() {
            if index > 0 { result += separator }
            result += element
        }
        return result
    }
}
