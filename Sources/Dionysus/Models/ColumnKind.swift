extension ValueKind {
    /// The kind of a property that holds everything that a column can.
    package init(of column: ColumnDescription) {
        if column.declaredType.hasSuffix("[]") {
            let element = String(column.declaredType.dropLast(2))
            self = .list(Self.kind(DatabaseType(declared: element), element), hasNulls: true)
        } else {
            self = Self.kind(column.type, column.declaredType)
        }
    }

    private static func kind(_ type: DatabaseType?, _ declared: String) -> ValueKind {
        if declared.lowercased() == "date" { return .date }
        return switch type {
        case .bool: .bool
        case .integer: .integer(bits: 64, isSigned: true)
        case .double: .double
        case .decimal: .decimal
        case .timestamp: .time
        case .uuid: .uuid
        case .json: .document
        case .bytes: .bytes
        case .text, nil: .text
        }
    }
}
