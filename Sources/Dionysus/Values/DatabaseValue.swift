public import struct Foundation.UUID

/// A value in a database.
public enum DatabaseValue: Sendable, Hashable {
    /// SQL `NULL`.
    case null
    /// A boolean. SQLite stores it as 0 or 1.
    case bool(Bool)
    /// An integer of up to 64 bits.
    case integer(Int64)
    /// A binary floating-point number.
    case double(Double)
    /// An exact decimal number.
    case decimal(ExactDecimal)
    /// Text.
    case text(String)
    /// A point in time. SQLite stores it as ISO 8601 text in UTC.
    case timestamp(Timestamp)
    /// A UUID. SQLite stores it as lowercase text.
    case uuid(UUID)
    /// A JSON document as text.
    case json(String)
    /// Bytes.
    case bytes([UInt8])
    /// A list whose elements all have the same type.
    case array(DatabaseType, [DatabaseValue])

    /// Whether this is SQL `NULL`.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// About how many bytes it takes in memory.
    package var byteCount: Int {
        let own = 40
        return switch self {
        case .text(let text), .json(let text): own + text.utf8.count
        case .bytes(let bytes): own + bytes.count
        case .array(_, let elements): elements.reduce(own) { $0 + $1.byteCount }
        default: own
        }
    }

    /// Text is compared by its bytes.
    ///
    /// A database distinguishes a composed letter from a letter with a combining mark; `String` doesn't.
    public static func == (lhs: DatabaseValue, rhs: DatabaseValue) -> Bool {
        switch (lhs, rhs) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.decimal(let left), .decimal(let right)): left == right
        case (.text(let left), .text(let right)), (.json(let left), .json(let right)): left.hasSameBytes(as: right)
        case (.timestamp(let left), .timestamp(let right)): left == right
        case (.uuid(let left), .uuid(let right)): left == right
        case (.bytes(let left), .bytes(let right)): left == right
        case (.array(let leftType, let left), .array(let rightType, let right)): leftType == rightType && left == right
        default: false
        }
    }
}

extension String {
    /// Whether two texts are equal byte for byte.
    func hasSameBytes(as other: String) -> Bool {
        // Comparing bytes is the fastest check, and equal bytes are equal in every sense.
        self == other && utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}

/// The column types that Dionysus reads and writes.
public enum DatabaseType: String, Sendable, Hashable, CaseIterable {
    case bool
    case integer
    case double
    case decimal
    case text
    case timestamp
    case uuid
    case json
    case bytes
}
