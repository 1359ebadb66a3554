import Dionysus

/// One value of a datum, as it is asked for.
struct DecodedValue: SingleValueDecodingContainer {
    let decoder: ValueDecoder
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { decoder.value == .null }
    func decode(_ type: Bool.Type) throws -> Bool { try decoder.bool() }
    func decode(_ type: String.Type) throws -> String { try decoder.string() }
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

/// The fields of a record, or the values of a map.
struct DecodedMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let path: String
    let names: [String]
    let parts: [String: ValueDecoder]
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { names.compactMap { Key(stringValue: $0) } }

    private func part(_ key: Key) throws -> ValueDecoder {
        guard let part = parts[key.stringValue] else {
            throw DionysusError(.typeMismatch, "\(path) has no field \(key.stringValue)")
        }
        return part
    }

    func contains(_ key: Key) -> Bool { parts[key.stringValue] != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try part(key).value == .null }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try part(key).decode(type) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try part(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try part(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        throw DionysusError(.typeMismatch, "\(path) has no field super")
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try part(key) }
}

/// The elements of an array.
struct DecodedElements: UnkeyedDecodingContainer {
    let decoder: ValueDecoder
    let elements: [AvroValue]
    let items: Int
    private(set) var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    init(decoder: ValueDecoder, elements: [AvroValue], items: Int) {
        self.decoder = decoder
        self.elements = elements
        self.items = items
    }

    private func current() throws -> ValueDecoder {
        guard !isAtEnd else {
            throw DionysusError(.typeMismatch, "\(decoder.path) has only \(elements.count) elements")
        }
        return ValueDecoder(
            elements[currentIndex],
            items,
            schema: decoder.schema,
            path: "\(decoder.path)[\(currentIndex)]"
        )
    }

    mutating func decodeNil() throws -> Bool {
        guard try current().value == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try current().decode(type)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let container = try current().container(keyedBy: type)
        currentIndex += 1
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try current().unkeyedContainer()
        currentIndex += 1
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = try current()
        currentIndex += 1
        return decoder
    }
}
