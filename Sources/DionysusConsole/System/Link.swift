/// Paths of pages, with what varies encoded.
enum Link {
    /// Encodes a text for one part of a path or a query.
    static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = Array("0123456789ABCDEF")
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return result
    }

    /// Decodes a part of a path or a query; nil for what isn't UTF-8.
    static func decoded(_ text: Substring, plusIsBlank: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+"), plusIsBlank {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else {
                    return nil
                }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// A path with a query; what has no value is left out.
    static func to(_ path: String, _ query: [(String, String?)]) -> String {
        let parts = query.compactMap { name, value in
            value.flatMap { $0.isEmpty ? nil : "\(encoded(name))=\(encoded($0))" }
        }
        return parts.isEmpty ? path : "\(path)?\(parts.joined(separator: "&"))"
    }

    static func record(_ model: String, _ id: String) -> String { "/record/\(encoded(model))/\(encoded(id))" }

    static func messages(_ topic: String, partition: Int32? = nil, offset: Int64? = nil, key: String? = nil) -> String {
        to(
            "/messages",
            [
                ("topic", topic), ("partition", partition.map { "\($0)" }), ("from", offset.map { "\($0)" }),
                ("key", key),
            ]
        )
    }
}
