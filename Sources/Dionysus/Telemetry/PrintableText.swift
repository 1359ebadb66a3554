extension String {
    /// The text for a terminal or a log: what could control either is written as JSON writes it, `\u001b` for one.
    ///
    /// Text that comes from records, messages and other programs can hold escapes that rewrite what stands above them,
    /// line ends that make one line look like two, and characters that are not seen or turn the order of others round.
    /// The same goes for JSON that is to be printed: its meaning stays what it was.
    ///
    /// - Parameter keepsLines: Whether line ends, and tabs, may stay.
    /// - Returns: The text without control characters, invisible characters and marks of direction.
    package func printable(keepingLines keepsLines: Bool = false) -> String {
        // Nearly all text is only this.
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
    /// Whether it isn't seen as a character, and may change what else is seen.
    fileprivate var isHidden: Bool {
        switch properties.generalCategory {
        // C0, C1 and DEL; direction, joiners and other formats, tags; line and paragraph ends; what stands for nothing.
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return true
        default: break
        }
        switch value {
        // Fillers and joiners of other categories that are as wide as nothing, or look like a blank.
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
