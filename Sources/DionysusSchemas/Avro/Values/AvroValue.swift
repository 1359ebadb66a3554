/// A datum of Avro, as a value that needs no schema to be looked at.
///
/// Numbers are those that were written: what a logical type makes of them (a day, a point in time, a decimal number) is found in
/// the schema. A union has no case: a value says by its own type of which branch it is.
public enum AvroValue: Sendable, Hashable {
    case null
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    case bytes([UInt8])
    case string(String)
    case array([AvroValue])
    /// The entries in their order.
    case map([Entry])
    /// The type's name, and the fields in the schema's order.
    case record(String, [Entry])
    /// The type's name, and the symbol.
    case enumeration(String, String)
    /// The type's name, and the bytes.
    case fixed(String, [UInt8])

    /// A name and its value.
    public struct Entry: Sendable, Hashable {
        /// The name of a field, or the key of a map's value.
        public var name: String
        /// The value.
        public var value: AvroValue

        /// Creates an entry.
        /// - Parameters:
        ///   - name: The name.
        ///   - value: The value.
        public init(_ name: String, _ value: AvroValue) {
            self.name = name
            self.value = value
        }
    }

    /// A record.
    /// - Parameters:
    ///   - name: The type's name.
    ///   - fields: The fields.
    /// - Returns: The value.
    public static func record(_ name: String, _ fields: KeyValuePairs<String, AvroValue>) -> AvroValue {
        .record(name, fields.map { Entry($0.key, $0.value) })
    }

    /// A map.
    /// - Parameter entries: The keys and values.
    /// - Returns: The value.
    public static func map(_ entries: KeyValuePairs<String, AvroValue>) -> AvroValue {
        .map(entries.map { Entry($0.key, $0.value) })
    }

    /// The value of a record's field or under a map's key.
    /// - Parameter name: The name.
    public subscript(name: String) -> AvroValue? {
        switch self {
        case .record(_, let entries), .map(let entries): entries.last { $0.name == name }?.value
        default: nil
        }
    }

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .bytes: "bytes"
        case .string: "string"
        case .array: "array"
        case .map: "map"
        case .record(let name, _): "record \(name)"
        case .enumeration(let name, _): "enum \(name)"
        case .fixed(let name, _): "fixed \(name)"
        }
    }
}
