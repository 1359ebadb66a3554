/// Encodes records of one type as JSON, one after another, reusing memory.
///
/// It is much faster than building a tree of values, in which each member would have to be looked up and written. Its
/// contents are valid until the next record.
package final class MemberEncoder {
    /// The encoding of values.
    package let values: JSONTreeEncoder
    fileprivate var writer = JSONWriter(capacity: 512)
    private var names: [String] = []
    private var ends: [Int] = []
    private var needsTree = false

    package init(_ values: JSONTreeEncoder) { self.values = values }

    /// The number of the record's members.
    package var count: Int { names.count }

    /// Encodes the next record; one that isn't an object has no members.
    package func encode(_ record: some Encodable) throws {
        reset()
        try record.encode(to: RecordEncoder(members: self))
        guard needsTree else { return }
        reset()
        guard case .object(let object) = try values.encode(record: record) else { return }
        for member in object.members {
            writer.write(member.value)
            end(member.name)
        }
    }

    /// The name of a member.
    package func name(_ index: Int) -> String { names[index] }

    /// The index of a member.
    /// - Parameters:
    ///   - hint: Its probable index: records of one type usually encode their members in the same order.
    package func index(of name: String, hint: Int) -> Int? {
        if hint < names.count, names[hint] == name { return hint }
        return names.firstIndex(of: name)
    }

    /// The JSON of a member.
    package func json(_ index: Int) -> ArraySlice<UInt8> {
        writer.bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    /// Writes a member.
    /// - Parameters:
    ///   - scale: For a decimal number: the number of decimal places.
    package func write(_ index: Int, scaledTo scale: Int?, into writer: inout JSONWriter) {
        let json = json(index)
        if let scale, let decimal = ExactDecimal(json: json), decimal.scale != scale {
            writer.write(decimal.rounded(toScale: scale), values)
        } else {
            writer.append(json)
        }
    }

    /// Writes a value that isn't a member.
    /// - Parameters:
    ///   - name: The attribute's name, for error messages.
    ///   - scale: For a decimal number: the number of decimal places.
    package func write(
        _ value: some Encodable,
        named name: String,
        scaledTo scale: Int?,
        into writer: inout JSONWriter
    ) throws {
        do {
            if scale == nil, try writer.write(scalar: value, values) { return }
            writer.write(try values.encode(value).scaled(to: scale, values))
        } catch let error as Unwritable {
            throw error.within(name).error
        } catch is EncodingError {
            // The error may quote the value.
            throw DionysusError(.typeMismatch, "the attribute \(name) can't be encoded as \(type(of: value))")
        }
    }

    private func reset() {
        writer.reset()
        names.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        needsTree = false
    }

    /// Nested containers can be written in any order, so they use a tree of values.
    fileprivate func tree() -> any Encoder {
        needsTree = true
        return values.throwaway
    }

    fileprivate func end(_ name: String) {
        names.append(name)
        ends.append(writer.bytes.count)
    }

    fileprivate func put<T: Encodable>(_ value: T, _ name: String) throws {
        try write(value, named: name, scaledTo: nil, into: &writer)
        end(name)
    }
}

private struct RecordEncoder: Encoder {
    let members: MemberEncoder
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(MemberContainer(members: members))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { members.tree().unkeyedContainer() }
    func singleValueContainer() -> any SingleValueEncodingContainer { members.tree().singleValueContainer() }
}

private struct MemberContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let members: MemberEncoder
    var codingPath: [any CodingKey] { [] }

    private func integer(_ value: some FixedWidthInteger, _ key: Key) {
        if let value = Int64(exactly: value) {
            members.writer.write(value)
        } else {
            members.writer.write(number: "\(value)")
        }
        members.end(key.stringValue)
    }

    private func number(_ value: some BinaryFloatingPoint & LosslessStringConvertible, _ key: Key) throws {
        if let error = Unwritable(value) { throw error.within(key.stringValue).error }
        members.writer.write(number: members.values.digits(of: value))
        members.end(key.stringValue)
    }

    private func optional<T: Encodable>(_ value: T?, _ key: Key, _ encode: (T, Key) throws -> Void) rethrows {
        if let value { try encode(value, key) } else { encodeNil(forKey: key) }
    }

    func encodeNil(forKey key: Key) {
        members.writer.literal("null")
        members.end(key.stringValue)
    }
    func encode(_ value: Bool, forKey key: Key) {
        members.writer.literal(value ? "true" : "false")
        members.end(key.stringValue)
    }
    func encode(_ value: String, forKey key: Key) {
        members.writer.write(value)
        members.end(key.stringValue)
    }
    func encode(_ value: Double, forKey key: Key) throws { try number(value, key) }
    func encode(_ value: Float, forKey key: Key) throws { try number(value, key) }
    func encode(_ value: Int, forKey key: Key) { integer(value, key) }
    func encode(_ value: Int8, forKey key: Key) { integer(value, key) }
    func encode(_ value: Int16, forKey key: Key) { integer(value, key) }
    func encode(_ value: Int32, forKey key: Key) { integer(value, key) }
    func encode(_ value: Int64, forKey key: Key) { integer(value, key) }
    func encode(_ value: UInt, forKey key: Key) { integer(value, key) }
    func encode(_ value: UInt8, forKey key: Key) { integer(value, key) }
    func encode(_ value: UInt16, forKey key: Key) { integer(value, key) }
    func encode(_ value: UInt32, forKey key: Key) { integer(value, key) }
    func encode(_ value: UInt64, forKey key: Key) { integer(value, key) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try members.put(value, key.stringValue) }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) { optional(value, key, encode) }
    func encodeIfPresent(_ value: String?, forKey key: Key) { optional(value, key, encode) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try optional(value, key, encode) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try optional(value, key, encode) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) { optional(value, key, integer) }
    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try optional(value, key, encode) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> { members.tree().container(keyedBy: keyType) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { members.tree().unkeyedContainer() }
    func superEncoder() -> any Encoder { members.tree() }
    func superEncoder(forKey key: Key) -> any Encoder { members.tree() }
}

extension JSON {
    /// A decimal number with the attribute's declared number of decimal places.
    package func scaled(to scale: Int?, _ options: JSONTreeEncoder) -> JSON {
        guard let scale, let decimal = ExactDecimal(json: self), decimal.scale != scale else { return self }
        return .string(options.text(of: decimal.rounded(toScale: scale)))
    }
}

extension ExactDecimal {
    fileprivate init?(json: JSON) {
        switch json {
        case .string(let text), .number(let text): self.init(text)
        case .integer(let value): self.init(value)
        default: return nil
        }
    }

    /// Parses the JSON of a number or of a numeric string.
    fileprivate init?(json: ArraySlice<UInt8>) {
        let digits = json.first == UInt8(ascii: "\"") ? json.dropFirst().dropLast() : json
        let decimal = digits.withUnsafeBufferPointer { ExactDecimal(utf8: $0) }
        guard let decimal else { return nil }
        self = decimal
    }
}
