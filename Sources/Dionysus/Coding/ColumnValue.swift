import struct Foundation.Data
import struct Foundation.URL
import struct Foundation.UUID

// Values of rows as properties of a kind would have them, for models without a type.

extension ValueKind {
    /// The type of properties of this kind.
    package var type: any (Codable & Sendable).Type {
        switch self {
        case .bool: Bool.self
        case .integer: Int.self
        case .double, .float: Double.self
        case .decimal: ExactDecimal.self
        case .text: String.self
        case .uuid: UUID.self
        case .url: URL.self
        case .bytes: Data.self
        case .time: Timestamp.self
        case .date: CalendarDate.self
        case .list(let element, let hasNulls): Self.list(of: element.type, hasNulls: hasNulls)
        case .object, .document, .any: JSON.self
        }
    }

    private static func list<T: Codable & Sendable>(
        of element: T.Type,
        hasNulls: Bool
    ) -> any (Codable & Sendable).Type {
        hasNulls ? [T?].self : [T].self
    }
}

extension Row {
    /// The number of a column.
    /// - Parameter hint: Its probable number: rows usually have their columns in the order in which they are read.
    package func index(of column: String, hint: Int) -> Int? {
        if hint < result.columns.count, result.columns[hint] == column { return hint }
        return result.index(of: column)
    }

    /// A column's value, as a property of a kind has it; nil for null.
    /// - Throws: ``DionysusError`` with code `typeMismatch` for a value of another kind.
    package func value(_ column: Int, as kind: ValueKind) throws -> (any Codable & Sendable)? {
        let cell = Cell(value: self[column], column: columns[column])
        if cell.value.isNull { return nil }
        return switch kind {
        case .bool: try cell.bool()
        case .integer: try cell.integer() as Int
        case .double, .float: try cell.double()
        case .text: try cell.string()
        default: try cell.decoded(as: kind.type)
        }
    }
}

extension Cell {
    fileprivate func decoded<T: Codable & Sendable>(as type: T.Type) throws -> any Codable & Sendable {
        try decode(type)
    }
}

extension MemberEncoder {
    /// Writes a column's value, as that of a property of a kind would be.
    ///
    /// Most values need no Swift value between the row and the JSON.
    /// - Parameters:
    ///   - scale: For a decimal number: the number of decimal places.
    package func write(
        _ row: Row,
        _ column: Int,
        as kind: ValueKind,
        scaledTo scale: Int?,
        into writer: inout JSONWriter
    ) throws {
        switch (kind, row[column]) {
        case (_, .null): writer.literal("null")
        case (.text, .text(let text)) where scale == nil: writer.write(text)
        case (.integer, .integer(let number)) where scale == nil: writer.write(number)
        case (.time, .timestamp(let time)): writer.write(time, fractionDigits: values.fractionDigits)
        case (.bool, .bool(let flag)): writer.literal(flag ? "true" : "false")
        case (.decimal, .decimal(let decimal)) where decimal.isNumber:
            writer.write(scale.map { $0 == decimal.scale ? decimal : decimal.rounded(toScale: $0) } ?? decimal, values)
        default:
            guard let value = try row.value(column, as: kind) else { return writer.literal("null") }
            try write(value, named: row.columns[column], scaledTo: scale, into: &writer)
        }
    }
}
