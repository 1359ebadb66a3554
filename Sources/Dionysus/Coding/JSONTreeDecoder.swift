import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// Decodes any `Decodable` from a JSON value.
package struct JSONTreeDecoder: Decoder {
    /// The origin of a value, which determines how it may be converted.
    enum Origin {
        /// A document, in which every value has its own type.
        case document
        /// A column of a database without booleans.
        case number
        /// An element of a list that the database returns as text.
        case text
    }

    /// What a value is of the one that it was taken from.
    private enum Place {
        case whole
        case member(String)
        case element(Int)
    }

    let value: JSON
    private let outerPath: String
    private let place: Place
    /// The text from which `value` was parsed, for types that decode text.
    let text: String?
    let origin: Origin
    package var codingPath: [any CodingKey] { [] }
    package var userInfo: [CodingUserInfoKey: Any] { [:] }

    package init(value: JSON, path: String) { self.init(value: value, path: path, text: nil) }

    init(value: JSON, path: String, text: String? = nil, origin: Origin = .document) {
        self.init(value, path, .whole, text: text, origin)
    }

    private init(_ value: JSON, _ outerPath: String, _ place: Place, text: String? = nil, _ origin: Origin) {
        self.value = value
        self.outerPath = outerPath
        self.place = place
        self.text = text
        self.origin = origin
    }

    fileprivate init(_ value: JSON, member name: String, of path: String) {
        self.init(value, path, .member(name), .document)
    }

    fileprivate init(_ value: JSON, element index: Int, of path: String, _ origin: Origin) {
        self.init(value, path, .element(index), origin)
    }

    /// Where the value is, put together only when somebody asks.
    var path: String {
        switch place {
        case .whole: outerPath
        case .member(let name): "\(outerPath).\(name)"
        case .element(let index): "\(outerPath)[\(index)]"
        }
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch("an object") }
        return KeyedDecodingContainer(TreeObject(object: object, path: path))
    }

    package func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        if case .array(let elements) = value { return TreeList(elements: elements, path: path, origin: origin) }
        // A list of a type that only the server knows, such as an enumeration.
        guard let text, let elements = ArrayLiteral.elements(of: text) else { throw mismatch("a list") }
        return TreeList(elements: elements, path: path, origin: .text)
    }

    package func singleValueContainer() -> any SingleValueDecodingContainer { TreeValue(decoder: self) }

    fileprivate func mismatch(_ expected: String) -> DionysusError {
        DionysusError(
            .typeMismatch,
            value == .null ? "\(path) is null" : "\(path) holds \(value.kind), not \(expected)"
        )
    }

    fileprivate func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        switch value {
        case .integer(let integer):
            if let result = T(exactly: integer) { return result }
            throw DionysusError(.typeMismatch, "\(path) holds an integer that is out of the range of \(type)")
        case .number(let digits):
            if let result = T(digits) ?? ExactDecimal(digits)?.wholeNumber(as: type) { return result }
        case .string(let digits) where origin == .text: if let result = T(digits) { return result }
        default: break
        }
        throw mismatch("an integer of the type \(type)")
    }

    fileprivate func double() throws -> Double {
        switch value {
        case .integer(let integer): return Double(integer)
        case .number(let digits): if let result = Double(digits), result.isFinite { return result }
        case .string(let digits) where origin == .text: if let result = Double(digits) { return result }
        default: break
        }
        throw mismatch("a number that fits a Double")
    }

    fileprivate func float() throws -> Float {
        let double = try double()
        let float = Float(double)
        guard float.isFinite || !double.isFinite else { throw mismatch("a number that fits a Float") }
        return float
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
        } else if type == JSON.self {
            known = value
        } else if type == URL.self {
            guard case .string(let text) = value, let url = URL(string: text) else { throw mismatch("a URL") }
            known = url
        } else if type == Data.self {
            guard case .string(let text) = value, let bytes = [UInt8](base64: text) ?? hexadecimal(text) else {
                throw mismatch("bytes in base64")
            }
            known = Data(bytes)
        } else if type == UUID.self {
            guard case .string(let text) = value, let uuid = UUID(uuidString: text) else { throw mismatch("a UUID") }
            known = uuid
        } else {
            known = nil
        }
        // Without the first check, `nil` (type not known here) would match an optional type.
        if let known, let value = known as? T { return value }
        do {
            return try T(from: self)
        } catch is DecodingError {
            // The error may quote the value.
            throw mismatch("a value that \(type) can be decoded from")
        }
    }

    /// Bytes in PostgreSQL's text form for lists.
    private func hexadecimal(_ text: String) -> [UInt8]? {
        guard origin == .text, text.hasPrefix("\\x") else { return nil }
        let digits = text.utf8.dropFirst(2).map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2)
            .reduce(into: [UInt8]?([])) { bytes, index in
                guard let high = digits[index], let low = digits[index + 1] else {
                    bytes = nil
                    return
                }
                bytes?.append(UInt8(high << 4 | low))
            }
    }
}

extension JSON {
    /// The kind of value, for error messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

private struct TreeValue: SingleValueDecodingContainer {
    let decoder: JSONTreeDecoder
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { decoder.value == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch decoder.value {
        case .bool(let value): return value
        case .integer(0) where decoder.origin == .number: return false
        case .integer(1) where decoder.origin == .number: return true
        case .string("t") where decoder.origin == .text: return true
        case .string("f") where decoder.origin == .text: return false
        default: throw decoder.mismatch("a boolean")
        }
    }

    func decode(_ type: String.Type) throws -> String {
        if let text = decoder.text { return text }
        guard case .string(let value) = decoder.value else { throw decoder.mismatch("text") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double { try decoder.double() }
    func decode(_ type: Float.Type) throws -> Float { try decoder.float() }
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
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try single(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try single(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try member(key).double() }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try member(key).integer(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try member(key).integer(type) }
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

    private func single(_ key: Key) throws -> TreeValue { TreeValue(decoder: try member(key)) }

    private func member(_ key: Key) throws -> JSONTreeDecoder {
        let name = key.stringValue
        guard let value = object[name] else { throw DionysusError(.typeMismatch, "\(path).\(name) is missing") }
        return JSONTreeDecoder(value, member: name, of: path)
    }
}

private struct TreeList: UnkeyedDecodingContainer {
    let elements: [JSON]
    let path: String
    let origin: JSONTreeDecoder.Origin
    var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    init(elements: [JSON], path: String, origin: JSONTreeDecoder.Origin) {
        self.elements = elements
        self.path = path
        self.origin = origin
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
        return JSONTreeDecoder(elements[currentIndex], element: currentIndex, of: path, origin)
    }
}
