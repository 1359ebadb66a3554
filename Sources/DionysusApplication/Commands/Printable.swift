extension String {
    /// The text as a terminal can show it: what would move the cursor, change colours or turn the direction of writing
    /// around stands as `\u001b`, which is how JSON writes it, too.
    var printable: String {
        guard unicodeScalars.contains(where: \.isTerminalControl) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if scalar.isTerminalControl {
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Unicode.Scalar {
    /// Controls, and the marks that override the direction of writing; all of them are below U+10000.
    fileprivate var isTerminalControl: Bool {
        switch value {
        case 0x00..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
