import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// A column that a model's type names.
package struct ModelColumn: Sendable {
    /// The column's name.
    package let name: String
    /// The property's type without the question mark.
    package let type: Any.Type
    /// The kind of the property.
    package let kind: ValueKind
    /// Whether the property can be nil.
    package let isOptional: Bool

    /// Describes a column of a model without a type.
    package init(name: String, kind: ValueKind, isOptional: Bool) {
        self.init(name: name, type: kind.type, kind: kind, isOptional: isOptional)
    }

    private init(name: String, type: Any.Type, kind: ValueKind, isOptional: Bool) {
        self.name = name
        self.type = type
        self.kind = kind
        self.isOptional = isOptional
    }

    /// A column as a property of a type names it.
    fileprivate static func property(_ name: String, _ type: Any.Type, isOptional: Bool) -> ModelColumn {
        let wrapped = (type as? any OptionalType.Type)?.wrapped
        return ModelColumn(
            name: name,
            type: wrapped ?? type,
            kind: ValueKind(of: wrapped ?? type),
            isOptional: isOptional || wrapped != nil
        )
    }

    /// Whether the property is a UUID, which compares without case.
    package var isUUID: Bool { kind == .uuid }

    /// Determines what `init(from:)` decodes, with a decoder that records each request and returns a placeholder.
    static func all(of type: any Model.Type) throws -> [ModelColumn] {
        let recorder = ColumnRecorder()
        do {
            _ = try type.init(from: RecordingDecoder(recorder: recorder))
        } catch {
            let property = recorder.columns.last.map { " beyond its property \($0.name)" } ?? ""
            throw DionysusError(
                .declaration,
                "the columns of model \(type.modelName) can't be determined from its Codable conformance\(property)",
                advice: "make the property's type CaseIterable, or decode it with a type that accepts an empty value",
                underlying: error
            )
        }
        return recorder.columns
    }

    /// The members that any type decodes.
    /// - Returns: Nil if they can't be determined.
    package static func members(of type: any Decodable.Type) -> [ModelColumn]? {
        let recorder = ColumnRecorder()
        guard (try? type.init(from: RecordingDecoder(recorder: recorder))) != nil else { return nil }
        return recorder.columns
    }
}

/// It is used only within one call on one thread, so it needs no lock.
private final class ColumnRecorder {
    var columns: [ModelColumn] = []

    func record<T>(_ key: any CodingKey, _ type: T.Type, isOptional: Bool) {
        guard !columns.contains(where: { $0.name == key.stringValue }) else { return }
        columns.append(.property(key.stringValue, type, isOptional: isOptional))
    }
}

private struct RecordingDecoder: Decoder {
    let recorder: ColumnRecorder
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RecordingContainer(recorder: recorder))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw NoColumns() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw NoColumns() }
}

private struct NoColumns: Error {}

private struct RecordingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let recorder: ColumnRecorder
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }

    func decodeNil(forKey key: Key) -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        recorder.record(key, type, isOptional: false)
        return try meaningless(type)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        recorder.record(key, type, isOptional: true)
        return nil
    }

    // Synthesized conformances decode the standard types through specific overloads.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) -> Bool? { absent(type, key) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) -> String? { absent(type, key) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) -> Double? { absent(type, key) }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) -> Float? { absent(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) -> Int? { absent(type, key) }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) -> Int8? { absent(type, key) }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) -> Int16? { absent(type, key) }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) -> Int32? { absent(type, key) }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) -> Int64? { absent(type, key) }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) -> UInt? { absent(type, key) }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) -> UInt8? { absent(type, key) }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) -> UInt16? { absent(type, key) }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) -> UInt32? { absent(type, key) }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) -> UInt64? { absent(type, key) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { throw NoColumns() }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw NoColumns() }
    func superDecoder() throws -> any Decoder { throw NoColumns() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw NoColumns() }

    private func absent<T>(_ type: T.Type, _ key: Key) -> T? {
        recorder.record(key, type, isOptional: true)
        return nil
    }
}

/// A placeholder value of a type: zero, empty, or the first case.
func meaningless<T: Decodable>(_ type: T.Type) throws -> T {
    let candidates: [Any] = [
        Timestamp(microseconds: 0), ExactDecimal(0), Date(timeIntervalSince1970: 0), Decimal(), UUID(),
        CalendarDate(Timestamp(microseconds: 0)), URL(filePath: "/"), Data(), JSON.null,
    ]
    for candidate in candidates {
        if let value = candidate as? T { return value }
    }
    if let cases = type as? any CaseIterable.Type, let value = firstCase(cases) as? T { return value }
    if let raw = type as? any RawRepresentable.Type, let value = firstCase(raw: raw) as? T { return value }
    return try T(from: EmptyDecoder())
}

/// The first case of an enumeration with raw values that isn't `CaseIterable`.
///
/// Such a type occupies at most one byte, holds no reference, and represents its first case as zero; a structure around
/// a byte or a boolean accepts zero as well.
private func firstCase<T: RawRepresentable>(raw type: T.Type) -> Any? {
    guard MemoryLayout<T>.size <= 1, _isPOD(T.self) else { return nil }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1) { buffer -> T in
        buffer.initialize(repeating: 0)
        return UnsafeRawBufferPointer(buffer).loadUnaligned(as: T.self)
    }
}

private func firstCase<T: CaseIterable>(_ type: T.Type) -> Any? { type.allCases.first }

/// Returns zero, false or an empty value for every request.
private struct EmptyDecoder: Decoder, SingleValueDecodingContainer {
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RecordingContainer(recorder: ColumnRecorder()))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { EmptyList() }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }
    func decodeNil() -> Bool { false }
    func decode(_ type: Bool.Type) -> Bool { false }
    func decode(_ type: String.Type) -> String { "" }
    func decode(_ type: Double.Type) -> Double { 0 }
    func decode(_ type: Float.Type) -> Float { 0 }
    func decode(_ type: Int.Type) -> Int { 0 }
    func decode(_ type: Int8.Type) -> Int8 { 0 }
    func decode(_ type: Int16.Type) -> Int16 { 0 }
    func decode(_ type: Int32.Type) -> Int32 { 0 }
    func decode(_ type: Int64.Type) -> Int64 { 0 }
    func decode(_ type: UInt.Type) -> UInt { 0 }
    func decode(_ type: UInt8.Type) -> UInt8 { 0 }
    func decode(_ type: UInt16.Type) -> UInt16 { 0 }
    func decode(_ type: UInt32.Type) -> UInt32 { 0 }
    func decode(_ type: UInt64.Type) -> UInt64 { 0 }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try meaningless(type) }
}

private struct EmptyList: UnkeyedDecodingContainer {
    var codingPath: [any CodingKey] { [] }
    var count: Int? { 0 }
    var isAtEnd: Bool { true }
    var currentIndex: Int { 0 }

    func decodeNil() throws -> Bool { throw NoColumns() }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { throw NoColumns() }
    func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        throw NoColumns()
    }
    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw NoColumns() }
    func superDecoder() throws -> any Decoder { throw NoColumns() }
}
