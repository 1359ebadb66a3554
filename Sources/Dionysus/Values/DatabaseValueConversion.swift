import struct Foundation.UUID

extension DatabaseValue {
    /// Converts the value to another type.
    ///
    /// SQLite has no booleans, timestamps, UUIDs and decimals: it returns what it stores for them. This converts that
    /// to what PostgreSQL returns. It never guesses or rounds: `1.5` is not an integer, and `yes` is not a boolean.
    ///
    ///     try row["is_open"].converted(to: .bool)      // .integer(1) becomes .bool(true)
    ///
    /// - Parameter type: The target type. Null and values of that type are returned unchanged.
    /// - Throws: ``DionysusError`` with code `typeMismatch`, which does not show the value.
    package func converted(to type: DatabaseType) throws -> DatabaseValue {
        if isNull { return self }
        let value: DatabaseValue? =
            switch type {
            case .bool: bool.map(DatabaseValue.bool)
            case .integer: integer.map(DatabaseValue.integer)
            case .double: double.map(DatabaseValue.double)
            case .decimal: decimal.map(DatabaseValue.decimal)
            case .text: text.map(DatabaseValue.text)
            case .timestamp: timestamp.map(DatabaseValue.timestamp)
            case .uuid: uuid.map(DatabaseValue.uuid)
            case .json: document.map(DatabaseValue.json)
            case .bytes: bytes.map(DatabaseValue.bytes)
            }
        guard let value else {
            throw DionysusError(.typeMismatch, "a value of type \(kind) can't be read as \(type.rawValue)")
        }
        return value
    }

    /// The kind of value, for error messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: DatabaseType.bool.rawValue
        case .integer: DatabaseType.integer.rawValue
        case .double: DatabaseType.double.rawValue
        case .decimal: DatabaseType.decimal.rawValue
        case .text: DatabaseType.text.rawValue
        case .timestamp: DatabaseType.timestamp.rawValue
        case .uuid: DatabaseType.uuid.rawValue
        case .json: DatabaseType.json.rawValue
        case .bytes: DatabaseType.bytes.rawValue
        case .array(let type, _): "list of \(type.rawValue)"
        }
    }

    private var bool: Bool? {
        switch self {
        case .bool(let value): value
        case .integer(0): false
        case .integer(1): true
        default: nil
        }
    }

    private var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        case .double(let value): Int64(exactly: value)
        case .decimal(let value) where value.scale == 0: Int64(exactly: value.unscaled)
        case .text(let value): Int64(value)
        default: nil
        }
    }

    private var double: Double? {
        switch self {
        case .double(let value): value
        case .integer(let value): Double(exactly: value)
        case .decimal(let value): Double(value.description)
        case .text(let value): Double(value)
        default: nil
        }
    }

    private var decimal: ExactDecimal? {
        switch self {
        case .decimal(let value): value
        case .integer(let value): ExactDecimal(value)
        case .double(let value): ExactDecimal(value)
        case .text(let value): ExactDecimal(value)
        default: nil
        }
    }

    private var text: String? {
        switch self {
        case .text(let value), .json(let value): value
        case .bool(let value): String(value)
        case .integer(let value): String(value)
        case .double(let value): String(value)
        case .decimal(let value): value.description
        case .timestamp(let value): value.description
        case .uuid(let value): value.uuidString.lowercased()
        case .null, .bytes, .array: nil
        }
    }

    private var timestamp: Timestamp? {
        switch self {
        case .timestamp(let value): value
        case .text(let value): Timestamp(value)
        default: nil
        }
    }

    private var uuid: UUID? {
        switch self {
        case .uuid(let value): value
        case .text(let value): UUID(uuidString: value)
        default: nil
        }
    }

    private var document: String? {
        switch self {
        case .json(let value), .text(let value): value
        // SQLite stores a numeric document as a number, unless the column's type contains "TEXT".
        case .integer, .double: text
        default: nil
        }
    }

    private var bytes: [UInt8]? {
        switch self {
        case .bytes(let value): value
        default: nil
        }
    }
}
