/// The result of one encoder.
///
/// It is used only within one call on one thread.
final class TreeStorage {
    enum Slot {
        case value(JSON)
        case nested(TreeStorage)

        var json: JSON {
            switch self {
            case .value(let value): value
            case .nested(let storage): storage.json
            }
        }
    }

    enum Content {
        case single(JSON)
        case object
        case list
    }

    var content = Content.single(.null)
    var names: [String] = []
    var slots: [Slot] = []

    var json: JSON {
        switch content {
        case .single(let value): value
        case .object: .object(JSON.Object(zip(names, slots).map { JSON.Object.Member($0, $1.json) }))
        case .list: .array(slots.map(\.json))
        }
    }
}

struct TreeEncoder: Encoder {
    let storage: TreeStorage
    let options: JSONTreeEncoder
    /// The encoding of the members if the value is an object.
    let members: JSONTreeEncoder
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        storage.content = .object
        return KeyedEncodingContainer(TreeObject(storage: storage, options: members))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        storage.content = .list
        return TreeList(storage: storage, options: options)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        TreeValue(storage: storage, options: options)
    }
}

extension JSONTreeEncoder {
    fileprivate func number(_ value: some BinaryFloatingPoint & LosslessStringConvertible) throws -> JSON {
        if let error = Unwritable(value) { throw error }
        return .number(digits(of: value))
    }
}

private func unsigned(_ value: UInt64) -> JSON {
    Int64(exactly: value).map(JSON.integer) ?? .number("\(value)")
}

private struct TreeObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let storage: TreeStorage
    let options: JSONTreeEncoder
    var codingPath: [any CodingKey] { [] }

    private func put(_ value: JSON, _ key: Key) {
        storage.names.append(key.stringValue)
        storage.slots.append(.value(value))
    }

    private func put(_ key: Key, _ value: () throws -> JSON) throws {
        do {
            put(try value(), key)
        } catch let error as Unwritable {
            throw error.within(key.stringValue)
        }
    }

    func encodeNil(forKey key: Key) { put(.null, key) }
    func encode(_ value: Bool, forKey key: Key) { put(.bool(value), key) }
    func encode(_ value: String, forKey key: Key) { put(.string(value), key) }
    func encode(_ value: Double, forKey key: Key) throws { try put(key) { try options.number(value) } }
    func encode(_ value: Float, forKey key: Key) throws { try put(key) { try options.number(value) } }
    func encode(_ value: Int, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: Int8, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: Int16, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: Int32, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: Int64, forKey key: Key) { put(.integer(value), key) }
    func encode(_ value: UInt, forKey key: Key) { put(unsigned(UInt64(value)), key) }
    func encode(_ value: UInt8, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: UInt16, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: UInt32, forKey key: Key) { put(.integer(Int64(value)), key) }
    func encode(_ value: UInt64, forKey key: Key) { put(unsigned(value), key) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try put(key) { try options.encode(value) } }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) { put(value.map(JSON.bool) ?? .null, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) { put(value.map(JSON.string) ?? .null, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws {
        try put(key) { try value.map(options.number) ?? .null }
    }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws {
        try put(key) { try value.map(options.number) ?? .null }
    }
    func encodeIfPresent(_ value: Int?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) { put(value.map(JSON.integer) ?? .null, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) { put(value.map { unsigned(UInt64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) { put(value.map { .integer(Int64($0)) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) { put(value.map(unsigned) ?? .null, key) }
    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
        try put(key) { try value.map { try options.encode($0) } ?? .null }
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { TreeEncoder(storage: storage, options: options, members: options) }
    func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

    private func nested(_ key: Key) -> TreeEncoder {
        let nested = TreeStorage()
        storage.names.append(key.stringValue)
        storage.slots.append(.nested(nested))
        return TreeEncoder(storage: nested, options: options, members: options)
    }
}

private struct TreeList: UnkeyedEncodingContainer {
    let storage: TreeStorage
    let options: JSONTreeEncoder
    var codingPath: [any CodingKey] { [] }
    var count: Int { storage.slots.count }

    private func put(_ value: JSON) { storage.slots.append(.value(value)) }

    func encodeNil() { put(.null) }
    func encode<T: Encodable>(_ value: T) throws {
        do {
            put(try options.encode(value))
        } catch let error as Unwritable {
            throw error.within(String(count))
        }
    }
    func nestedContainer<Key: CodingKey>(keyedBy keyType: Key.Type) -> KeyedEncodingContainer<Key> {
        superEncoder().container(keyedBy: keyType)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { superEncoder().unkeyedContainer() }
    func superEncoder() -> any Encoder {
        let nested = TreeStorage()
        storage.slots.append(.nested(nested))
        return TreeEncoder(storage: nested, options: options, members: options)
    }
}

private struct TreeValue: SingleValueEncodingContainer {
    let storage: TreeStorage
    let options: JSONTreeEncoder
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { storage.content = .single(.null) }
    func encode(_ value: Bool) { storage.content = .single(.bool(value)) }
    func encode(_ value: String) { storage.content = .single(.string(value)) }
    func encode(_ value: Double) throws { storage.content = .single(try options.number(value)) }
    func encode(_ value: Float) throws { storage.content = .single(try options.number(value)) }
    func encode(_ value: Int) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: Int8) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: Int16) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: Int32) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: Int64) { storage.content = .single(.integer(value)) }
    func encode(_ value: UInt) { storage.content = .single(unsigned(UInt64(value))) }
    func encode(_ value: UInt8) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: UInt16) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: UInt32) { storage.content = .single(.integer(Int64(value))) }
    func encode(_ value: UInt64) { storage.content = .single(unsigned(value)) }
    func encode<T: Encodable>(_ value: T) throws { storage.content = .single(try options.encode(value)) }
}
