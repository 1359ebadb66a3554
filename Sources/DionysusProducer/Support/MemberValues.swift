import Dionysus

import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// Encodes records of one type as values, one after another, reusing memory.
///
/// It is what `MemberEncoder` is for JSON: no tree stands between a record and the bytes that are made of its values. Its
/// contents are valid until the next record.
final class MemberValues {
    /// The encoding of what has parts of its own, which becomes a document.
    private let documents: JSONTreeEncoder
    private var names: [String] = []
    private var members: [DatabaseValue] = []
    fileprivate var needsTree = false
    /// The values that a serializer made of the record, in the order of its attributes.
    private(set) var attributes: [DatabaseValue] = []

    init(_ documents: JSONTreeEncoder) { self.documents = documents }

    /// The number of the record's members.
    var count: Int { names.count }

    /// A member's value.
    func member(_ index: Int) -> DatabaseValue { members[index] }

    /// The index of a member.
    /// - Parameters:
    ///   - hint: Its probable index: records of one type usually encode their members in the same order.
    func index(of name: String, hint: Int) -> Int? {
        if hint < names.count, names[hint] == name { return hint }
        return names.firstIndex(of: name)
    }

    /// Encodes the next record; one that isn't an object has no members.
    func encode(_ record: some Encodable) throws {
        reset()
        try record.encode(to: MemberValuesEncoder(values: self))
        guard needsTree else { return }
        reset()
        guard case .object(let object) = try documents.encode(record: record) else { return }
        for member in object.members { take(DatabaseValue(json: member.value), member.name) }
    }

    /// Adds an attribute that is a member.
    /// - Parameters:
    ///   - scale: For a decimal number: the number of decimal places.
    func addAttribute(_ index: Int, scaledTo scale: Int?) { attributes.append(members[index].scaled(to: scale)) }

    /// Adds an attribute that isn't a member.
    /// - Parameters:
    ///   - name: The attribute's name, for error messages.
    ///   - scale: For a decimal number: the number of decimal places.
    func addAttribute(_ value: some Encodable, named name: String, scaledTo scale: Int?) throws {
        attributes.append(try self.value(of: value, named: name).scaled(to: scale))
    }

    /// Adds an attribute that the record doesn't have.
    func addMissingAttribute() { attributes.append(.null) }

    private func reset() {
        names.removeAll(keepingCapacity: true)
        members.removeAll(keepingCapacity: true)
        attributes.removeAll(keepingCapacity: true)
        needsTree = false
    }

    fileprivate func take(_ value: DatabaseValue, _ name: String) {
        names.append(name)
        members.append(value)
    }

    /// Nested containers can be written in any order, so the record becomes a document first.
    fileprivate func tree() -> any Encoder {
        needsTree = true
        return Throwaway()
    }

    fileprivate func value<T: Encodable>(of value: T, named name: String) throws -> DatabaseValue {
        switch value {
        case let value as Timestamp: return .timestamp(value)
        case let value as ExactDecimal: return .decimal(value)
        case let value as String: return .text(value)
        case let value as Int: return .integer(Int64(value))
        case let value as Bool: return .bool(value)
        case let value as Date: return value.databaseValue
        case let value as Decimal: return value.databaseValue
        case let value as UUID: return .uuid(value)
        case let value as CalendarDate: return .text(value.description)
        case let value as URL: return .text(value.absoluteString)
        case let value as Data: return .bytes(Array(value))
        case let value as JSON: return DatabaseValue(json: value)
        default: break
        }
        let scalar = Scalar()
        try value.encode(to: ScalarEncoder(scalar: scalar))
        if let value = scalar.value { return value }
        do {
            return DatabaseValue(json: try documents.encode(value))
        } catch is EncodingError {
            // The error may quote the value.
            throw DionysusError(.typeMismatch, "the attribute \(name) can't be encoded as \(type(of: value))")
        }
    }
}

extension DatabaseValue {
    /// A value of JSON: what has parts becomes a document.
    init(json: JSON) {
        self =
            switch json {
            case .null: .null
            case .bool(let value): .bool(value)
            case .integer(let value): .integer(value)
            case .number(let digits):
                ExactDecimal(digits).map(DatabaseValue.decimal) ?? Double(digits).map(DatabaseValue.double)
                    ?? .text(digits)
            case .string(let text): .text(text)
            case .array, .object: .json(json.text)
            }
    }

    /// A decimal number with the attribute's declared number of decimal places, as envelopes have it.
    fileprivate func scaled(to scale: Int?) -> DatabaseValue {
        guard let scale else { return self }
        let decimal: ExactDecimal? =
            switch self {
            case .decimal(let value): value
            case .integer(let value): ExactDecimal(value)
            case .text(let text): ExactDecimal(text)
            default: nil
            }
        guard let decimal, decimal.scale != scale else { return self }
        return .decimal(decimal.rounded(toScale: scale))
    }

    fileprivate init(_ value: some FixedWidthInteger) {
        self = Int64(exactly: value).map(DatabaseValue.integer) ?? .decimal(ExactDecimal(value))
    }

    /// A number with as many digits as it takes to read the same number back.
    fileprivate init(_ value: Float) { self = .double(Double(value.description) ?? Double(value)) }
}

private struct MemberValuesEncoder: Encoder {
    let values: MemberValues
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(MemberContainer(values: values))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { values.tree().unkeyedContainer() }
    func singleValueContainer() -> any SingleValueEncodingContainer { values.tree().singleValueContainer() }
}

private struct MemberContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let values: MemberValues
    var codingPath: [any CodingKey] { [] }

    private func take(_ value: DatabaseValue, _ key: Key) { values.take(value, key.stringValue) }

    func encodeNil(forKey key: Key) { take(.null, key) }
    func encode(_ value: Bool, forKey key: Key) { take(.bool(value), key) }
    func encode(_ value: String, forKey key: Key) { take(.text(value), key) }
    func encode(_ value: Double, forKey key: Key) { take(.double(value), key) }
    func encode(_ value: Float, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: Int, forKey key: Key) { take(.integer(Int64(value)), key) }
    func encode(_ value: Int8, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: Int16, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: Int32, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: Int64, forKey key: Key) { take(.integer(value), key) }
    func encode(_ value: UInt, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: UInt8, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: UInt16, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: UInt32, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode(_ value: UInt64, forKey key: Key) { take(DatabaseValue(value), key) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        take(try values.value(of: value, named: key.stringValue), key)
    }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) { take(value.map(DatabaseValue.bool) ?? .null, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) { take(value.map(DatabaseValue.text) ?? .null, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) { take(value.map(DatabaseValue.double) ?? .null, key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) { take(value.map { DatabaseValue($0) } ?? .null, key) }
    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
        if let value { try encode(value, forKey: key) } else { take(.null, key) }
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> { values.tree().container(keyedBy: keyType) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { values.tree().unkeyedContainer() }
    func superEncoder() -> any Encoder { values.tree() }
    func superEncoder(forKey key: Key) -> any Encoder { values.tree() }
}

/// A place for the value of what encodes itself as one.
///
/// It lives for one call on one thread.
private final class Scalar {
    var value: DatabaseValue?
}

private struct ScalarEncoder: Encoder, SingleValueEncodingContainer {
    let scalar: Scalar
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        Throwaway().container(keyedBy: type)
    }
    func unkeyedContainer() -> any UnkeyedEncodingContainer { Throwaway().unkeyedContainer() }
    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { scalar.value = .null }
    func encode(_ value: Bool) { scalar.value = .bool(value) }
    func encode(_ value: String) { scalar.value = .text(value) }
    func encode(_ value: Double) { scalar.value = .double(value) }
    func encode(_ value: Float) { scalar.value = DatabaseValue(value) }
    func encode(_ value: Int) { scalar.value = DatabaseValue(value) }
    func encode(_ value: Int8) { scalar.value = DatabaseValue(value) }
    func encode(_ value: Int16) { scalar.value = DatabaseValue(value) }
    func encode(_ value: Int32) { scalar.value = DatabaseValue(value) }
    func encode(_ value: Int64) { scalar.value = DatabaseValue(value) }
    func encode(_ value: UInt) { scalar.value = DatabaseValue(value) }
    func encode(_ value: UInt8) { scalar.value = DatabaseValue(value) }
    func encode(_ value: UInt16) { scalar.value = DatabaseValue(value) }
    func encode(_ value: UInt32) { scalar.value = DatabaseValue(value) }
    func encode(_ value: UInt64) { scalar.value = DatabaseValue(value) }
    func encode<T: Encodable>(_ value: T) throws {
        switch value {
        case let value as Timestamp: scalar.value = .timestamp(value)
        case let value as ExactDecimal: scalar.value = .decimal(value)
        case let value as Date: scalar.value = value.databaseValue
        case let value as Decimal: scalar.value = value.databaseValue
        case let value as UUID: scalar.value = .uuid(value)
        case let value as CalendarDate: scalar.value = .text(value.description)
        case let value as URL: scalar.value = .text(value.absoluteString)
        case let value as Data: scalar.value = .bytes(Array(value))
        case let value as JSON: scalar.value = DatabaseValue(json: value)
        default: try value.encode(to: self)
        }
    }
}

/// Takes what is encoded and forgets it: the value is encoded again, as a document.
private struct Throwaway: Encoder, UnkeyedEncodingContainer, SingleValueEncodingContainer {
    struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        var codingPath: [any CodingKey] { [] }
        func encodeNil(forKey key: Key) {}
        func encode<T: Encodable>(_ value: T, forKey key: Key) {}
        func nestedContainer<NestedKey: CodingKey>(
            keyedBy keyType: NestedKey.Type,
            forKey key: Key
        ) -> KeyedEncodingContainer<NestedKey> { Throwaway().container(keyedBy: keyType) }
        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { Throwaway() }
        func superEncoder() -> any Encoder { Throwaway() }
        func superEncoder(forKey key: Key) -> any Encoder { Throwaway() }
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    var count: Int { 0 }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(Keyed())
    }
    func unkeyedContainer() -> any UnkeyedEncodingContainer { self }
    func singleValueContainer() -> any SingleValueEncodingContainer { self }
    func encodeNil() {}
    func encode<T: Encodable>(_ value: T) {}
    func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        container(keyedBy: keyType)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { self }
    func superEncoder() -> any Encoder { self }
}
