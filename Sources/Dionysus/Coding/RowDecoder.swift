import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.UUID

/// Decodes a model from a row of a result.
struct RowDecoder: Decoder {
    let row: Row
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RowContainer(row: row))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw noList() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw noList() }

    private func noList() -> DionysusError {
        DionysusError(.typeMismatch, "a row can only be decoded by the names of its columns")
    }
}

private struct RowContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let row: Row
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { row.columns.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { row.result.index(of: key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try cell(key).value.isNull }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try cell(key).decode(type) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try cell(key).bool() }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try cell(key).string() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try cell(key).double() }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try cell(key).double()) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try cell(key).integer() }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try cell(key).integer() }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try cell(key).integer() }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try cell(key).integer() }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try cell(key).integer() }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try cell(key).integer() }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try cell(key).integer() }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try cell(key).integer() }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try cell(key).integer() }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try cell(key).integer() }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try cell(key).decoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try cell(key).decoder().unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { RowDecoder(row: row) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try cell(key).decoder() }

    private func cell(_ key: Key) throws -> Cell {
        guard let column = row.result.index(of: key.stringValue) else {
            throw DionysusError(.typeMismatch, "the row has no column \(key.stringValue)")
        }
        return Cell(value: row[column], column: key.stringValue)
    }
}

/// One value of a row, asked for as a Swift type.
private struct Cell {
    let value: DatabaseValue
    let column: String

    func bool() throws -> Bool {
        switch value {
        case .bool(let value): return value
        case .integer(let value): return value != 0
        default: throw mismatch(Bool.self)
        }
    }

    func string() throws -> String {
        switch value {
        case .text(let value), .json(let value): return value
        case .uuid(let value): return value.uuidString.lowercased()
        case .timestamp(let value): return value.description
        case .integer(let value): return String(value)
        case .double(let value): return ExactDecimal(value)?.description ?? String(value)
        case .decimal(let value): return value.description
        default: throw mismatch(String.self)
        }
    }

    func double() throws -> Double {
        switch value {
        case .double(let value): return value
        case .integer(let value): return Double(value)
        case .decimal(let value): if let value = Double(value.description) { return value }
        default: break
        }
        throw mismatch(Double.self)
    }

    func integer<T: FixedWidthInteger>() throws -> T {
        if case .integer(let integer) = value, let value = T(exactly: integer) { return value }
        throw mismatch(T.self)
    }

    func timestamp() throws -> Timestamp {
        switch value {
        case .timestamp(let value): return value
        case .text(let text): if let value = Timestamp(text) { return value }
        default: break
        }
        throw mismatch(Timestamp.self)
    }

    func decimal() throws -> ExactDecimal {
        let decimal: ExactDecimal? =
            switch value {
            case .decimal(let value): value
            case .integer(let value): ExactDecimal(value)
            case .double(let value): ExactDecimal(value)
            case .text(let value): ExactDecimal(value)
            default: nil
            }
        guard let decimal else { throw mismatch(ExactDecimal.self) }
        return decimal
    }

    func uuid() throws -> UUID {
        switch value {
        case .uuid(let value): return value
        case .text(let text): if let value = UUID(uuidString: text) { return value }
        default: break
        }
        throw mismatch(UUID.self)
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let known: Any? =
            if type == Timestamp.self {
                try timestamp()
            } else if type == ExactDecimal.self {
                try decimal()
            } else if type == Date.self {
                try timestamp().date
            } else if type == UUID.self {
                try uuid()
            } else if type == Decimal.self {
                try decimal().decimal
            } else {
                nil
            }
        if let known = known as? T { return known }
        return try T(from: decoder())
    }

    /// Scalars decode themselves; documents and lists by way of their JSON.
    func decoder() throws -> any Decoder {
        switch value {
        case .json(let text): return JSONTreeDecoder(value: try JSON(parsing: Array(text.utf8)), path: column)
        case .array(_, let elements):
            return JSONTreeDecoder(value: .array(elements.map(JSON.init(databaseValue:))), path: column)
        case .text(let text) where text.first == "{" || text.first == "[":
            let document = try? JSON(parsing: Array(text.utf8))
            return JSONTreeDecoder(value: document ?? .string(text), path: column, text: text)
        default: return JSONTreeDecoder(value: JSON(databaseValue: value), path: column)
        }
    }

    private func mismatch(_ type: Any.Type) -> DionysusError {
        DionysusError(.typeMismatch, "column \(column) can't be read as \(type)")
    }
}

extension JSON {
    /// The value as it stands on the wire.
    package init(databaseValue: DatabaseValue) {
        switch databaseValue {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .double(let value): self = value.isFinite ? .number("\(value)") : .null
        case .decimal(let value): self = .string(value.description)
        case .text(let value): self = .string(value)
        case .timestamp(let value): self = .string(value.description)
        case .uuid(let value): self = .string(value.uuidString.lowercased())
        case .json(let text): self = (try? JSON(parsing: Array(text.utf8))) ?? .string(text)
        case .bytes(let bytes): self = .string(bytes.base64Encoded)
        case .array(_, let values): self = .array(values.map(JSON.init(databaseValue:)))
        }
    }
}
