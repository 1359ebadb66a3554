import Dionysus

import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// Writes any `Encodable` in Avro's binary encoding.
///
///     let encoder = AvroEncoder(schema: schema)
///     let bytes = try encoder.encode(Rental(id: 1, checkIn: .now))
///
/// Properties are found by their coding keys. `Date` and `Timestamp` become what the field's logical type says, `Decimal` and
/// `ExactDecimal` keep every digit or are refused, `Data` is bytes or fixed, an enumeration with text as raw value is an enum.
public struct AvroEncoder: Sendable {
    /// The schema that is written.
    package let schema: AvroSchema

    /// Creates an encoder.
    /// - Parameter schema: The schema to write.
    public init(schema: AvroSchema) { self.schema = schema }

    /// Writes a value.
    /// - Parameter value: The value.
    /// - Returns: The datum in the binary encoding.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path of what doesn't fit the schema, and what the value's own
    ///   encoding throws.
    public func encode(_ value: some Encodable) throws -> [UInt8] {
        let box = Box()
        try box.encode(value)
        return try schema.encode(box.input)
    }
}

/// A place for a value that is being encoded.
///
/// It lives for one call on one thread.
private final class Box {
    enum Content {
        case scalar(DatabaseValue)
        case list([Box])
        case object([(name: String, value: Box)])
    }

    var content = Content.scalar(.null)

    var input: AvroInput {
        switch content {
        case .scalar(let value): AvroInput(value)
        case .list(let boxes): .list(boxes.map(\.input))
        case .object(let members): .object(members.map { AvroInput.Member(name: $0.name, value: $0.value.input) })
        }
    }

    func member(_ name: String) -> Box {
        let box = Box()
        guard case .object(var members) = content else {
            content = .object([(name, box)])
            return box
        }
        content = .object([])
        members.append((name, box))
        content = .object(members)
        return box
    }

    func element() -> Box {
        let box = Box()
        guard case .list(var boxes) = content else {
            content = .list([box])
            return box
        }
        content = .list([])
        boxes.append(box)
        content = .list(boxes)
        return box
    }

    func set(_ value: DatabaseValue) { content = .scalar(value) }

    func encode(_ value: some Encodable) throws {
        switch value {
        case let value as Date: set(value.databaseValue)
        case let value as Timestamp: set(value.databaseValue)
        case let value as ExactDecimal: set(value.databaseValue)
        case let value as Decimal: set(value.databaseValue)
        case let value as UUID: set(value.databaseValue)
        case let value as URL: set(value.databaseValue)
        case let value as Data: set(value.databaseValue)
        case let value as CalendarDate: set(value.databaseValue)
        case let value as JSON: set(.json(value.text))
        default: try value.encode(to: InputEncoder(box: self))
        }
    }
}

private struct InputEncoder: Encoder {
    let box: Box
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .scalar = box.content { box.content = .object([]) }
        return KeyedEncodingContainer(Members(box: box))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .scalar = box.content { box.content = .list([]) }
        return Elements(box: box)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(box: box) }
}

private struct Single: SingleValueEncodingContainer {
    let box: Box
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { box.set(.null) }
    func encode(_ value: Bool) { box.set(.bool(value)) }
    func encode(_ value: String) { box.set(.text(value)) }
    func encode(_ value: Double) { box.set(.double(value)) }
    func encode(_ value: Float) { box.set(.double(Double(value))) }
    func encode(_ value: Int) { box.set(value.databaseValue) }
    func encode(_ value: Int8) { box.set(value.databaseValue) }
    func encode(_ value: Int16) { box.set(value.databaseValue) }
    func encode(_ value: Int32) { box.set(value.databaseValue) }
    func encode(_ value: Int64) { box.set(value.databaseValue) }
    func encode(_ value: UInt) { box.set(value.databaseValue) }
    func encode(_ value: UInt8) { box.set(value.databaseValue) }
    func encode(_ value: UInt16) { box.set(value.databaseValue) }
    func encode(_ value: UInt32) { box.set(value.databaseValue) }
    func encode(_ value: UInt64) { box.set(value.databaseValue) }
    func encode<T: Encodable>(_ value: T) throws { try box.encode(value) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let box: Box
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) { box.member(key.stringValue).set(.null) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try box.member(key.stringValue).encode(value) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        InputEncoder(box: box.member(key.stringValue)).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        InputEncoder(box: box.member(key.stringValue)).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { InputEncoder(box: box.member("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { InputEncoder(box: box.member(key.stringValue)) }
}

private struct Elements: UnkeyedEncodingContainer {
    let box: Box
    var codingPath: [any CodingKey] { [] }
    var count: Int { if case .list(let boxes) = box.content { boxes.count } else { 0 } }

    func encodeNil() { box.element().set(.null) }
    func encode<T: Encodable>(_ value: T) throws { try box.element().encode(value) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        InputEncoder(box: box.element()).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        InputEncoder(box: box.element()).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { InputEncoder(box: box.element()) }
}
