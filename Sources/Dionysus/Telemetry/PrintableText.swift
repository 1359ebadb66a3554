extension String {
    /// The text for a terminal or a log, with control characters escaped as in JSON: `\u001b`.
    ///
    /// Text from records, messages and other programs can contain escape sequences that rewrite earlier output, line
    /// breaks that make one line look like two, and invisible or order-reversing characters. The same applies to
    /// printed JSON, whose meaning does not change.
    ///
    /// - Parameter keepsLines: Whether to keep line breaks and tabs.
    /// - Returns: The text with control characters, invisible characters and direction marks escaped.
    package func printable(keepingLines keepsLines: Bool = false) -> String {
        // Nearly all text consists of these.
        if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return self }
        var text = UnicodeScalarView()
        for scalar in unicodeScalars {
            if keepsLines, scalar == "\n" || scalar == "\t" {
                text.append(scalar)
            } else if scalar.isHidden {
                text.append(contentsOf: scalar.escaped.unicodeScalars)
            } else {
                text.append(scalar)
            }
        }
        return String(text)
    }
}

extension Unicode.Scalar {
    /// Whether it is invisible and may affect how other characters are displayed.
    fileprivate var isHidden: Bool {
        switch properties.generalCategory {
        // C0, C1 and DEL; direction, joiners and other formats, tags; line and paragraph separators; unassigned.
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return true
        default: break
        }
        switch value {
        // Fillers and joiners of other categories that have no width or look like a blank.
        case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b...0x180f, 0x2800, 0x3164, 0xffa0, 0xfe00...0xfe0f,
            0xe0100...0xe01ef:
            return true
        default: return false
        }
    }

    fileprivate var escaped: String {
        switch self {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default:
            Character(self).utf16
                .map { unit in
                    let digits = String(unit, radix: 16)
                    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
                .joined()
        }
    }
}
