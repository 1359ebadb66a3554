/// Decodes a model from a row that lacks columns: missing attributes are nil or placeholder values.
struct PartialRowDecoder: Decoder {
    let row: Row
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        let whole = RowDecoder(row: row).container(keyedBy: type)
        return KeyedDecodingContainer(PartialRowContainer(whole: whole))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try RowDecoder(row: row).unkeyedContainer() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        try RowDecoder(row: row).singleValueContainer()
    }
}

private struct PartialRowContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let whole: KeyedDecodingContainer<Key>
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { whole.allKeys }

    func contains(_ key: Key) -> Bool { whole.contains(key) }

    func decodeNil(forKey key: Key) throws -> Bool { try !contains(key) || whole.decodeNil(forKey: key) }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        contains(key) ? try whole.decode(type, forKey: key) : try meaningless(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try whole.nestedContainer(keyedBy: type, forKey: key)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try whole.nestedUnkeyedContainer(forKey: key)
    }

    func superDecoder() throws -> any Decoder { try whole.superDecoder() }
    func superDecoder(forKey key: Key) throws -> any Decoder { try whole.superDecoder(forKey: key) }
}
