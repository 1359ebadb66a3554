/// The name of a type with its namespace.
struct AvroName {
    let full: String
    let namespace: String

    init(full: String) {
        self.full = full
        namespace = full.lastIndex(of: ".").map { String(full[..<$0]) } ?? ""
    }

    init(_ name: String, in namespace: String) {
        self.init(full: name.contains(".") || namespace.isEmpty ? name : "\(namespace).\(name)")
    }

    /// What stands between the points.
    var parts: [String] { full.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }

    /// Whether a text can be the name of a field or a symbol, or a part of a type's.
    /// - Parameter isStrict: Whether only those are names that Avro's specification has.
    static func isPart(_ text: String, isStrict: Bool) -> Bool {
        guard !text.isEmpty else { return false }
        guard isStrict else {
            let excluded: Set<Unicode.Scalar> = ["/", "\\", "\"", "."]
            return text.unicodeScalars.allSatisfy {
                !excluded.contains($0) && !$0.properties.isWhitespace && $0.value >= 0x20 && $0.value != 0x7f
            }
        }
        return text.utf8.enumerated()
            .allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                    true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): index > 0
                default: false
                }
            }
    }
}
