import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.UUID

/// Decodes any `Decodable` from a JSON value.
package struct JSONTreeDecoder: Decoder {
    let value: JSON
    let path: String
    /// The text that `value` was parsed from, for those that ask for text after all.
    let text: String?
    package var codingPath: [any CodingKey] { [] }
    package var userInfo: [CodingUserInfoKey: Any] { [:] }

    package init(value: JSON, path: String, text: String? = nil) {
        self.value = value
        self.path = path
        self.text = text
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return KeyedDecodingContainer(TreeObject(object: object, path: path))
    }

    package func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch("a list") }
        return TreeList(elements: elements, path: path)
    }

    package func singleValueContainer() -> any SingleValueDecodingContainer { TreeValue(decoder: self) }

    fileprivate func mismatch(_ expected: String) -> DionysusError {
        DionysusError(.typeMismatch, "\(path) does not hold \(expected)")
    }

    fileprivate func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        switch value {
        case .integer(let integer): if let result = T(exactly: integer) { return result }
        case .number(let digits): if let result = T(digits) { return result }
        default: break
        }
        throw mismatch("a \(type)")
    }

    fileprivate func double() throws -> Double {
        switch value {
        case .integer(let integer): return Double(integer)
        case .number(let digits): if let result = Double(digits) { return result }
        default: break
        }
        throw mismatch("a number")
    }

    fileprivate func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let known: Any?
        if type == ExactDecimal.self || type == Decimal.self {
            let decimal: ExactDecimal? =
                switch value {
                case .string(let text), .number(let text): ExactDecimal(text)
                case .integer(let integer): ExactDecimal(integer)
                default: nil
                }
            guard let decimal else { throw mismatch("a decimal number") }
            known = type == Decimal.self ? decimal.decimal : decimal
        } else if type == Date.self {
            guard case .string(let text) = value, let time = Timestamp(text) else { throw mismatch("a time") }
            known = time.date
        } else if type == UUID.self {
            guard case .string(let text) = value, let uuid = UUID(uuidString: text) else { throw mismatch("a UUID") }
            known = uuid
        } else {
            known = nil
        }
        if let known = known as? T { return known }
        return try T(from: self)
    }
}

private struct TreeValue: SingleValueDecodingContainer {
    let decoder: JSONTreeDecoder
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { decoder.value == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch decoder.value {
        case .bool(let value): return value
        // SQLite has no booleans.
        case .integer(0): return false
        case .integer(1): return true
        default: throw decoder.mismatch("a boolean")
        }
    }

    func decode(_ type: String.Type) throws -> String {
        if let text = decoder.text { return text }
        guard case .string(let value) = decoder.value else { throw decoder.mismatch("text") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double { try decoder.double() }
    func decode(_ type: Float.Type) throws -> Float { Float(try decoder.double()) }
    func decode(_ type: Int.Type) throws -> Int { try decoder.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.decode(type) }
}

private struct TreeObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSON.Object
    let path: String
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { object.members.compactMap { Key(stringValue: $0.name) } }

    func contains(_ key: Key) -> Bool { object[key.stringValue] != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try member(key).value == .null }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try member(key).decode(type) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { try member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder() -> any Decoder { JSONTreeDecoder(value: .object(object), path: path) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }

    private func member(_ key: Key) throws -> JSONTreeDecoder {
        let path = "\(path).\(key.stringValue)"
        guard let value = object[key.stringValue] else { throw DionysusError(.typeMismatch, "\(path) is missing") }
        return JSONTreeDecoder(value: value, path: path)
    }
}

private struct TreeList: UnkeyedDecodingContainer {
    let elements: [JSON]
    let path: String
    var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    init(elements: [JSON], path: String) {
        self.elements = elements
        self.path = path
    }

    mutating func decodeNil() -> Bool {
        guard !isAtEnd, elements[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().decode(type) }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }

    private mutating func next() throws -> JSONTreeDecoder {
        guard !isAtEnd else { throw DionysusError(.typeMismatch, "\(path) has only \(elements.count) elements") }
        defer { currentIndex += 1 }
        return JSONTreeDecoder(value: elements[currentIndex], path: "\(path)[\(currentIndex)]")
    }
}
