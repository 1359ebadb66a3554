package import Dionysus

/// One type of a schema.
package struct AvroType: Sendable {
    /// What the data of a type is made of; other types are named by their places in the schema's list.
    package enum Kind: Sendable {
        case null, boolean, int, long, float, double, bytes, string
        case array(Int)
        case map(Int)
        case union([Int])
        case record(AvroRecordType)
        case enumeration(AvroEnumerationType)
        case fixed(AvroFixedType)
    }

    package internal(set) var kind: Kind
    /// What the data means, if the schema says so in a way that fits.
    package internal(set) var logical: AvroLogicalType?
    /// What stands in the document beside what Avro defines for the kind, and documentation, aliases and the logical type.
    package internal(set) var attributes = JSON.Object()

    package var isNull: Bool { if case .null = kind { true } else { false } }

    /// The name with its namespace, of types that have one.
    package var name: String? {
        switch kind {
        case .record(let record): record.name
        case .enumeration(let enumeration): enumeration.name
        case .fixed(let fixed): fixed.name
        default: nil
        }
    }

    /// Other names under which a writer may know a type that has a name.
    var aliases: [String] {
        switch kind {
        case .record(let record): record.aliases
        case .enumeration(let enumeration): enumeration.aliases
        case .fixed(let fixed): fixed.aliases
        default: []
        }
    }
}

/// A record: fields in the order in which they are written.
package struct AvroRecordType: Sendable {
    package struct Field: Sendable {
        package let name: String
        package let aliases: [String]
        package let type: Int
        /// What a reader takes where the writer has no such field, as the document has it.
        package let defaultValue: JSON?
        /// What else stands in the document: the default, documentation, aliases, the order.
        package let attributes: JSON.Object
    }

    package let name: String
    package let aliases: [String]
    package internal(set) var fields: [Field] = []
    /// The places of fields by their names.
    package internal(set) var places: [String: Int] = [:]
}

/// An enumeration.
package struct AvroEnumerationType: Sendable {
    package let name: String
    package let aliases: [String]
    package let symbols: [String]
    /// The places of symbols.
    package let places: [String: Int]
    /// What a reader takes for a symbol that it doesn't know.
    package let defaultSymbol: String?
}

/// A number of bytes that is always the same.
package struct AvroFixedType: Sendable {
    package let name: String
    package let aliases: [String]
    package let size: Int
}

extension AvroType.Kind {
    static let primitives: [String: AvroType.Kind] = [
        "null": .null, "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double,
        "bytes": .bytes, "string": .string,
    ]

    init?(primitive name: String) {
        guard let kind = Self.primitives[name] else { return nil }
        self = kind
    }

    /// The word that a schema has for it.
    var word: String {
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
        case .union: "union"
        case .record: "record"
        case .enumeration: "enum"
        case .fixed: "fixed"
        }
    }
}
