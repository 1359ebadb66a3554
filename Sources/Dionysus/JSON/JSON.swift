/// A JSON value.
///
/// Objects keep the order of their members, and numbers keep their digits.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    /// An integer that fits into 64 bits.
    case integer(Int64)
    /// Any other number, as written: `1.50`, `1e400`, `18446744073709551615`.
    case number(String)
    case string(String)
    case array([JSON])
    case object(Object)

    /// Strings are equal when their bytes are; see ``DatabaseValue``.
    public static func == (lhs: JSON, rhs: JSON) -> Bool {
        switch (lhs, rhs) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    /// An object's members in their order.
    public struct Object: Sendable, Hashable, ExpressibleByDictionaryLiteral {
        /// A name and its value.
        public struct Member: Sendable, Hashable {
            /// The name.
            public var name: String
            /// The value.
            public var value: JSON

            /// Creates a member.
            public init(_ name: String, _ value: JSON) {
                self.name = name
                self.value = value
            }
        }

        /// The members in their order.
        public var members: [Member]

        /// Creates an object.
        public init(_ members: [Member] = []) { self.members = members }

        /// Creates an object.
        /// - Parameter elements: Names and values in their order.
        public init(dictionaryLiteral elements: (String, JSON)...) {
            members = elements.map { Member($0.0, $0.1) }
        }

        /// The value of a member; if several have the name, the last one.
        ///
        /// Setting nil removes the member.
        public subscript(name: String) -> JSON? {
            get { members.last { $0.name == name }?.value }
            set {
                guard let newValue else {
                    members.removeAll { $0.name == name }
                    return
                }
                if let index = members.lastIndex(where: { $0.name == name }) {
                    members[index].value = newValue
                } else {
                    members.append(Member(name, newValue))
                }
            }
        }
    }
}

extension JSON {
    /// The value of a member, if this is an object that has it.
    public subscript(name: String) -> JSON? {
        guard case .object(let object) = self else { return nil }
        return object[name]
    }

    /// Parses one JSON document.
    /// - Parameter bytes: UTF-8.
    /// - Throws: ``DionysusError`` with code `malformed` and the position, for anything that RFC 8259 does not allow
    ///   and for more than 512 levels of nesting.
    public init(parsing bytes: some Collection<UInt8>) throws {
        let parsed = try bytes.withContiguousStorageIfAvailable { buffer in
            try JSONParser.parse(buffer)
        }
        self = try parsed ?? Array(bytes).withUnsafeBufferPointer { try JSONParser.parse($0) }
    }

    /// The document as UTF-8, without white space.
    public var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }

    /// The document as text, without white space.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

// Test failures print the debug description.
extension JSON: CustomDebugStringConvertible {
    /// The document as text, including its values.
    public var debugDescription: String { text }
}
