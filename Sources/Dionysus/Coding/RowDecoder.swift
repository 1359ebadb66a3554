import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
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
        DionysusError(.typeMismatch, "a row can only be decoded by column names")
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
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try cell(key).float() }
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

/// One value of a row, decoded as a Swift type.
struct Cell {
    let value: DatabaseValue
    let column: String

    func bool() throws -> Bool {
        switch value {
        case .bool(let value): return value
        // SQLite has no booleans.
        case .integer(0): return false
        case .integer(1): return true
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

    func float() throws -> Float {
        let double = try double()
        let float = Float(double)
        guard float.isFinite || !double.isFinite else { throw outOfRange(Float.self) }
        return float
    }

    func integer<T: FixedWidthInteger>() throws -> T {
        switch value {
        case .integer(let integer):
            guard let value = T(exactly: integer) else { throw outOfRange(T.self) }
            return value
        // An integer that may exceed the database's integer range. SQLite stores such a value as text.
        case .decimal(let decimal): if let value = decimal.wholeNumber(as: T.self) { return value }
        case .text(let text): if T.max > Int64.max, let value = T(text) { return value }
        default: break
        }
        throw mismatch(T.self)
    }

    private func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> Any { try integer() as T }

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
        // GRDB's format.
        case .bytes(let bytes): if let value = UUID(bytes: bytes) { return value }
        default: break
        }
        throw mismatch(UUID.self)
    }

    func url() throws -> URL {
        guard case .text(let text) = value, let url = URL(string: text) else { throw mismatch(URL.self) }
        return url
    }

    func data() throws -> Data {
        guard case .bytes(let bytes) = value else { throw mismatch(Data.self) }
        return Data(bytes)
    }

    func date() throws -> CalendarDate {
        guard case .text(let text) = value, let date = CalendarDate(text) else { throw mismatch(CalendarDate.self) }
        return date
    }

    /// A document, which SQLite stores as text.
    func document() throws -> JSON {
        switch value {
        case .json(let text): return try parsed(text)
        case .text(let text): if let document = try? JSON(parsing: Array(text.utf8)) { return document }
        case .decimal(let value): return .number(value.description)
        case .null, .bool, .integer, .double, .array: return JSON(databaseValue: value)
        case .timestamp, .uuid, .bytes: break
        }
        throw mismatch(JSON.self)
    }

    /// The error for a document that the database accepted but that can't be parsed.
    private func parsed(_ text: String) throws -> JSON {
        do {
            return try JSON(parsing: Array(text.utf8))
        } catch let error as DionysusError {
            throw DionysusError(.typeMismatch, "column \(column) holds a document that can't be read: \(error.message)")
        }
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
            } else if type == URL.self {
                try url()
            } else if type == Data.self {
                try data()
            } else if type == CalendarDate.self {
                try date()
            } else if type == JSON.self {
                try document()
            } else {
                nil
            }
        // Without the first check, `nil` (type not known here) would match an optional type.
        if let known, let value = known as? T { return value }
        if let number = type as? any FixedWidthInteger.Type, let value = try integer(number) as? T { return value }
        do {
            return try T(from: decoder())
        } catch let error {
            // An application's type that wraps a boolean, in a database without booleans.
            if case .integer(let integer) = value, integer == 0 || integer == 1,
                let flag = try? T(from: JSONTreeDecoder(value: .integer(integer), path: place, origin: .number))
            {
                return flag
            }
            // The error may quote the value.
            throw error is DecodingError ? mismatch(type) : error
        }
    }

    private var place: String { "column \(column)" }

    /// Scalars decode directly; documents and lists through their JSON.
    func decoder() throws -> any Decoder {
        switch value {
        case .json(let text): return JSONTreeDecoder(value: try parsed(text), path: place)
        case .array(_, let elements):
            return JSONTreeDecoder(value: .array(elements.map(JSON.init(databaseValue:))), path: place)
        case .text(let text) where text.first == "{" || text.first == "[":
            let document = try? JSON(parsing: Array(text.utf8))
            return JSONTreeDecoder(value: document ?? .string(text), path: place, text: text)
        default: return JSONTreeDecoder(value: JSON(databaseValue: value), path: place)
        }
    }

    private func mismatch(_ type: Any.Type) -> DionysusError {
        DionysusError(
            .typeMismatch,
            value.isNull ? "column \(column) is null" : "column \(column) holds \(value.kind), not \(type)",
            advice: value.isNull ? "make the property optional, or the column NOT NULL" : nil
        )
    }

    private func outOfRange(_ type: Any.Type) -> DionysusError {
        DionysusError(.typeMismatch, "column \(column) holds a number that is out of the range of \(type)")
    }
}

extension DatabaseValue {
    /// The value as a Swift type, as a record's property of that type would be decoded.
    /// - Parameter name: What the value is called, for messages.
    /// - Throws: ``DionysusError`` with code `typeMismatch` if it isn't of that type.
    package func decoded<T: Decodable>(as type: T.Type, from name: String) throws -> T {
        try Cell(value: self, column: name).decode(type)
    }
}

extension JSON {
    /// The value in its wire form.
    package init(databaseValue: DatabaseValue) {
        switch databaseValue {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .double(let value): self = value.isFinite ? .number("\(value)") : .string("\(value)")
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
