import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// Encodes any `Encodable` as a JSON value.
///
/// Members keep their order, and nil is written as null. A decimal number is a string as an attribute, and a number
/// with all of its digits inside a document.
package struct JSONTreeEncoder {
    /// The number of fractional digits of times, from 0 to 6.
    package var fractionDigits: Int
    /// Whether numbers and text are written in Rails' format.
    package let writesAsRails: Bool
    /// Whether the value is part of an object.
    private var isWithinObject = false

    package init(fractionDigits: Int = 6, writesAsRails: Bool = false) {
        self.fractionDigits = fractionDigits
        self.writesAsRails = writesAsRails
    }

    /// The text of a decimal attribute.
    package func text(of decimal: ExactDecimal) -> String {
        writesAsRails ? decimal.bigDecimalText : decimal.description
    }

    /// The JSON to send.
    package func finished(_ json: [UInt8]) -> [UInt8] { writesAsRails ? RailsJSON.escaped(json) : json }

    /// Encodes an attribute's value.
    package func encode<T: Encodable>(_ value: T) throws -> JSON {
        if let scalar = try scalar(value) { return scalar }
        let storage = Storage()
        try value.encode(to: TreeEncoder(storage: storage, options: self, members: withinObject))
        return storage.json
    }

    /// Encodes a record, whose members are attributes.
    package func encode(record: some Encodable) throws -> JSON {
        do {
            let storage = Storage()
            try record.encode(to: TreeEncoder(storage: storage, options: self, members: self))
            return storage.json
        } catch let error as Unwritable {
            throw error.error
        }
    }

    /// An encoder whose result is ignored.
    var throwaway: any Encoder { TreeEncoder(storage: Storage(), options: self, members: self) }

    private var withinObject: JSONTreeEncoder {
        var encoder = self
        encoder.isWithinObject = true
        return encoder
    }

    private func decimal(_ digits: String) throws -> JSON {
        guard digits != "NaN" else { throw Unwritable(kind: "NaN") }
        if isWithinObject { return .number(digits) }
        return .string(writesAsRails ? ExactDecimal(digits)?.bigDecimalText ?? digits : digits)
    }

    /// The digits of a binary number.
    package func digits<Value: BinaryFloatingPoint & LosslessStringConvertible>(of value: Value) -> String {
        writesAsRails ? RailsJSON.digits(of: value.description) : value.description
    }

    fileprivate func time(_ date: Date) throws -> Timestamp {
        guard let time = Timestamp(exactly: date) else { throw Unwritable(kind: "a date that lies too far away") }
        return time
    }

    /// Encodes types that have a special form on the wire.
    ///
    /// Types are compared before casting, because a failing cast is much more expensive.
    fileprivate func scalar<T: Encodable>(_ value: T) throws -> JSON? {
        if T.self == Timestamp.self, let time = value as? Timestamp {
            return .string(time.iso8601(fractionDigits: fractionDigits))
        }
        if T.self == ExactDecimal.self, let value = value as? ExactDecimal { return try decimal(value.description) }
        if T.self == Date.self, let date = value as? Date {
            return .string(try time(date).iso8601(fractionDigits: fractionDigits))
        }
        if T.self == UUID.self, let uuid = value as? UUID { return .string(uuid.uuidString.lowercased()) }
        if T.self == Decimal.self, let value = value as? Decimal { return try decimal("\(value)") }
        if T.self == Data.self, let data = value as? Data { return .string(data.base64EncodedString()) }
        if T.self == URL.self, let url = value as? URL { return .string(url.absoluteString) }
        if T.self == CalendarDate.self, let date = value as? CalendarDate { return .string(date.description) }
        if T.self == JSON.self, let document = value as? JSON { return document }
        return nil
    }
}

extension JSONWriter {
    /// Writes a value of one of the most common types with a special form on the wire.
    /// - Returns: Whether the value has one of these types.
    mutating func write<T: Encodable>(scalar value: T, _ options: JSONTreeEncoder) throws -> Bool {
        if T.self == Timestamp.self, let time = value as? Timestamp {
            write(time, fractionDigits: options.fractionDigits)
            return true
        }
        if T.self == ExactDecimal.self, let decimal = value as? ExactDecimal {
            guard decimal.isNumber else { throw Unwritable(kind: "NaN") }
            write(decimal, options)
            return true
        }
        if T.self == Int.self, let integer = value as? Int {
            write(Int64(integer))
            return true
        }
        if T.self == String.self, let text = value as? String {
            write(text)
            return true
        }
        return false
    }
}

extension JSONWriter {
    /// Writes a decimal number as a string.
    mutating func write(_ decimal: ExactDecimal, _ options: JSONTreeEncoder) {
        if options.writesAsRails { write(decimal.bigDecimalText) } else { write(decimal) }
    }
}

/// The result of one encoder.
///
/// It is used only within one call on one thread.
private final class Storage {
    enum Slot {
        case value(JSON)
        case nested(Storage)

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

/// A value that JSON can't represent, and its path.
struct Unwritable: Error {
    let kind: String
    var path: [String] = []

    init(kind: String) { self.kind = kind }

    init?(_ value: some BinaryFloatingPoint) {
        if value.isFinite { return nil }
        kind = value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    }

    func within(_ name: String) -> Unwritable {
        var error = self
        error.path.insert(name, at: 0)
        return error
    }

    var error: DionysusError {
        let place = path.isEmpty ? "a value" : "the attribute \(path.joined(separator: "."))"
        return DionysusError(
            .typeMismatch,
            "\(place) is \(kind), which JSON can't express",
            advice: "make it null, or publish it as text"
        )
    }
}

private struct TreeEncoder: Encoder {
    let storage: Storage
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
    let storage: Storage
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
        let nested = Storage()
        storage.names.append(key.stringValue)
        storage.slots.append(.nested(nested))
        return TreeEncoder(storage: nested, options: options, members: options)
    }
}

private struct TreeList: UnkeyedEncodingContainer {
    let storage: Storage
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
        let nested = Storage()
        storage.slots.append(.nested(nested))
        return TreeEncoder(storage: nested, options: options, members: options)
    }
}

private struct TreeValue: SingleValueEncodingContainer {
    let storage: Storage
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
