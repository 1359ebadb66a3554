/// What stays the same in errors with one cause: quoted parts, and words with digits, are replaced.
struct FailureCause: Sendable, Hashable {
    /// How many bytes of an error are looked at.
    private static let longest = 600
    private static let omission = Array("…".utf8)

    /// What the errors say, with `…` for what differs.
    let text: String

    /// A number by which the database finds failures with this cause.
    ///
    /// It stands in the table, so neither it nor ``text`` ever changes.
    var hash: Int64 { Self.hash(of: text) }

    static func hash(of text: String) -> Int64 { Int64(bitPattern: Array(text.utf8).fnv1a) }

    /// - Parameter message: What an error says.
    init(of message: String) {
        let bytes = Array(message.utf8)
        // Whole batches fail, so it looks at bytes.
        var rest = Self.withoutPlace(bytes).prefix(Self.longest)
        var result: [UInt8] = []
        while let byte = rest.first {
            let isQuote = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
            if isQuote, let end = rest.dropFirst().firstIndex(of: byte) {
                result += [byte] + Self.omission + [byte]
                rest = rest[(end + 1)...]
            } else if Self.isInWord(byte) {
                let word = rest.prefix(while: Self.isInWord)
                result += word.contains { (48...57).contains($0) } ? Self.omission[...] : word
                rest = rest[word.endIndex...]
            } else {
                result.append(byte)
                rest.removeFirst()
            }
        }
        text = String(decoding: result, as: UTF8.self)
    }

    /// An error without the partition and the offset that it begins with.
    private static func withoutPlace(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        guard let place = bytes.prefix(300).firstRange(of: Array("] offset ".utf8)),
            let colon = bytes[place.upperBound...].firstRange(of: Array(": ".utf8))
        else { return bytes[...] }
        return bytes[colon.upperBound...]
    }

    private static func isInWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...: true
        default: false
        }
    }
}
