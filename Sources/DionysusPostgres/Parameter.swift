import Dionysus

/// A bound value as it goes to the server.
struct Parameter {
    private enum Form {
        case null
        case text(String)
        case bytes([UInt8])
        /// The text of a list.
        case list([UInt8])
        case binaryList(BinaryList)
    }

    private let form: Form
    /// The object identifier of the type; 0 lets the server infer it.
    let type: UInt32

    /// - Throws: ``DionysusError`` with code `typeMismatch` for text with a zero byte.
    init(_ value: DatabaseValue) throws {
        switch value {
        case .array(let element, let elements):
            type = Self.arrayType(of: element)
            form =
                if let list = BinaryList(elements, of: element) { .binaryList(list) } else {
                    .list(try Self.array(elements))
                }
        case .bytes(let bytes): (type, form) = (17, .bytes(bytes))
        default:
            type =
                switch value {
                case .bool: 16
                case .integer: 20
                case .double: 701
                case .decimal: 1_700
                case .timestamp: 1_184
                case .uuid: 2_950
                default: 0
                }
            form = try Self.text(of: value).map { .text($0) } ?? .null
        }
    }

    var isNull: Bool { if case .null = form { true } else { false } }

    /// Whether it is sent in the server's binary form of the type and not as text.
    var isBinary: Bool {
        switch form {
        case .bytes, .binaryList: true
        case .null, .text, .list: false
        }
    }

    /// The value, if it is so long that it is lent to libpq where it is, which makes a copy anyway.
    var longValue: LongValue? {
        guard capacity > LongValue.minimum else { return nil }
        return switch form {
        case .text(let text): .text(text)
        case .bytes(let bytes): .bytes(bytes)
        case .null, .list, .binaryList: nil
        }
    }

    /// How many bytes it takes, at most.
    var capacity: Int {
        switch form {
        case .null: 0
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .list(let text): text.count
        case .binaryList(let list): list.capacity
        }
    }

    /// Writes it into memory that has room for it.
    /// - Returns: The number of bytes.
    /// - Throws: ``DionysusError`` with code `typeMismatch` for text with a zero byte.
    func write(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        switch form {
        case .null: return 0
        case .text(var text):
            return text.withUTF8 {
                buffer.copyMemory(from: UnsafeRawBufferPointer($0))
                return $0.count
            }
        case .bytes(let bytes), .list(let bytes):
            bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
            return bytes.count
        case .binaryList(let list): return try list.write(into: buffer)
        }
    }

    private static func text(of value: DatabaseValue) throws -> String? {
        switch value {
        case .null: nil
        case .bool(let value): value ? "t" : "f"
        case .integer(let value): String(value)
        case .double(let value): "\(value)"
        case .decimal(let value): value.description
        case .text(let value), .json(let value): try storable(value)
        case .timestamp(let value): value.description
        case .uuid(let value): value.uuidString
        case .bytes(let bytes): "\\x" + hexadecimal(bytes)
        case .array(_, let elements): String(decoding: try array(elements), as: UTF8.self)
        }
    }

    private static func storable(_ text: String) throws -> String {
        guard !text.hasZeroByte else { throw zeroByte }
        return text
    }

    static var zeroByte: DionysusError {
        DionysusError(
            .typeMismatch,
            "text with a zero byte can't be stored in PostgreSQL",
            advice: "remove the byte, or use a column of bytes"
        )
    }

    private static func array(_ elements: [DatabaseValue]) throws -> [UInt8] {
        var result: [UInt8] = [UInt8(ascii: "{")]
        result.reserveCapacity(elements.count * 12)
        for (index, element) in elements.enumerated() {
            if index > 0 { result.append(UInt8(ascii: ",")) }
            switch element {
            case .integer, .bool, .double, .decimal, .uuid:
                result.append(contentsOf: (try text(of: element) ?? "NULL").utf8)
            default:
                guard let text = try text(of: element) else {
                    result.append(contentsOf: "NULL".utf8)
                    continue
                }
                result.append(UInt8(ascii: "\""))
                for byte in text.utf8 {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { result.append(UInt8(ascii: "\\")) }
                    result.append(byte)
                }
                result.append(UInt8(ascii: "\""))
            }
        }
        result.append(UInt8(ascii: "}"))
        return result
    }

    private static func arrayType(of element: DatabaseType) -> UInt32 {
        switch element {
        case .bool: 1_000
        case .integer: 1_016
        case .double: 1_022
        case .decimal: 1_231
        case .text: 1_009
        case .timestamp: 1_185
        case .uuid: 2_951
        case .json: 3_807
        case .bytes: 1_001
        }
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        result.append(digits[Int(byte >> 4)])
        result.append(digits[Int(byte & 15)])
    }
    return String(decoding: result, as: UTF8.self)
}
