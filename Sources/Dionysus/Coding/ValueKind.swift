import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// What a Swift type is in a database and in messages, as far as it is known without a value.
package indirect enum ValueKind: Sendable, Hashable {
    case bool
    /// With the number of bits and the signedness.
    case integer(bits: Int, isSigned: Bool)
    case double
    case float
    case decimal
    case text
    case uuid
    case url
    case bytes
    case time
    case date
    case list(ValueKind, hasNulls: Bool)
    /// An object: a structure, or a dictionary.
    case object
    /// A document of any form.
    case document
    /// A type that decodes itself in several ways or in an unknown way.
    case any

    package init(of type: Any.Type) {
        self = Self.scalar(type) ?? Self.list(type) ?? Self.probed(type)
    }

    private static func scalar(_ type: Any.Type) -> ValueKind? {
        switch type {
        case is Bool.Type: .bool
        case is Double.Type: .double
        case is Float.Type: .float
        case is ExactDecimal.Type, is Decimal.Type: .decimal
        case is String.Type: .text
        case is UUID.Type: .uuid
        case is URL.Type: .url
        case is Data.Type: .bytes
        case is Date.Type, is Timestamp.Type: .time
        case is CalendarDate.Type: .date
        case is JSON.Type: .document
        case let integer as any FixedWidthInteger.Type: .integer(integer)
        default: nil
        }
    }

    private static func list(_ type: Any.Type) -> ValueKind? {
        guard let list = type as? any ListType.Type else { return nil }
        let wrapped = (list.element as? any OptionalType.Type)?.wrapped
        return .list(ValueKind(of: wrapped ?? list.element), hasNulls: wrapped != nil)
    }

    /// The types that a type decodes are not examined further: they may include the type itself.
    fileprivate static func shallow(_ type: Any.Type) -> ValueKind {
        scalar(type) ?? (type is any ListType.Type ? .list(.any, hasNulls: true) : .any)
    }

    private static func integer<T: FixedWidthInteger>(_ type: T.Type) -> ValueKind {
        .integer(bits: T.bitWidth, isSigned: T.isSigned)
    }

    /// Finds out what `init(from:)` asks for when no value is present.
    private static func probed(_ type: Any.Type) -> ValueKind {
        guard let type = type as? any Decodable.Type else { return .any }
        let probe = Probe()
        _ = try? type.init(from: ProbingDecoder(probe: probe))
        return probe.asked.count == 1 ? probe.asked.first ?? .any : .any
    }
}

/// A type that can be nil.
package protocol OptionalType {
    static var wrapped: Any.Type { get }
}

extension Optional: OptionalType {
    package static var wrapped: Any.Type { Wrapped.self }
}

/// A type that is a list on the wire.
package protocol ListType {
    static var element: Any.Type { get }
}

extension Array: ListType {
    package static var element: Any.Type { Element.self }
}

extension Set: ListType {
    package static var element: Any.Type { Element.self }
}

/// It is used only within one call on one thread.
private final class Probe {
    var asked: Set<ValueKind> = []
}

private struct NothingThere: Error {}

private struct ProbingDecoder: Decoder, SingleValueDecodingContainer {
    let probe: Probe
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        throw missing(.object)
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw missing(.list(.any, hasNulls: true)) }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }
    func decodeNil() -> Bool { false }
    func decode(_ type: Bool.Type) throws -> Bool { throw missing(.bool) }
    func decode(_ type: String.Type) throws -> String { throw missing(.text) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { throw missing(.shallow(type)) }

    private func missing(_ kind: ValueKind) -> NothingThere {
        probe.asked.insert(kind)
        return NothingThere()
    }
}
