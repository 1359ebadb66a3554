/// The rows that a statement returned.
public struct ResultSet: Sendable {
    /// The names of the columns, in order.
    public let columns: [String]
    /// The number of rows that the statement inserted, updated or deleted; for a query, the number of rows returned.
    public let affectedRows: Int
    let cells: [DatabaseValue]

    /// Creates a result.
    /// - Parameters:
    ///   - columns: The names of the columns.
    ///   - cells: All values, row after row.
    ///   - affectedRows: The number of rows changed or returned.
    public init(columns: [String], cells: [DatabaseValue], affectedRows: Int) {
        self.columns = columns
        self.cells = cells
        self.affectedRows = affectedRows
    }

    /// The number of rows.
    public var count: Int { columns.isEmpty ? 0 : cells.count / columns.count }

    /// Whether there is no row.
    public var isEmpty: Bool { cells.isEmpty }

    /// The rows, in order.
    public var rows: some RandomAccessCollection<Row> {
        (0..<count).lazy.map { Row(result: self, index: $0) }
    }

    /// The first row, if there is one.
    public var first: Row? { isEmpty ? nil : Row(result: self, index: 0) }

    /// The value at a row and column, both counted from zero.
    /// - Parameters:
    ///   - row: The row's number, less than ``count``.
    ///   - column: The column's number.
    public subscript(row: Int, column: Int) -> DatabaseValue { cells[row * columns.count + column] }

    /// The number of a column.
    /// - Returns: Its number, counted from zero, or nil if there is no such column.
    public func index(of name: String) -> Int? { columns.firstIndex(of: name) }
}

/// One row of a result.
public struct Row: Sendable {
    let result: ResultSet
    /// The number of the row in its result, counted from zero.
    package let index: Int

    package init(result: ResultSet, index: Int) {
        self.result = result
        self.index = index
    }

    /// The names of the columns, in order.
    public var columns: [String] { result.columns }

    /// The value in a column.
    /// - Parameter column: The column's number, counted from zero.
    public subscript(column: Int) -> DatabaseValue { result[index, column] }

    /// The value in a column.
    /// - Returns: The value, or null if there is no such column.
    public subscript(name: String) -> DatabaseValue {
        guard let column = result.index(of: name) else { return .null }
        return result[index, column]
    }
}

extension Row {
    /// The integer in a column.
    /// - Parameter column: The column's number, counted from zero.
    /// - Returns: The integer, or nil for null.
    /// - Throws: ``DionysusError`` with code `typeMismatch` if the value isn't an integer.
    public func integer(_ column: Int) throws -> Int64? {
        switch self[column] {
        case .null: return nil
        case .integer(let value): return value
        case .bool(let value): return value ? 1 : 0
        default: throw mismatch(column, "an integer")
        }
    }

    /// The text in a column.
    /// - Parameter column: The column's number, counted from zero.
    /// - Returns: The text, or nil for null.
    /// - Throws: ``DionysusError`` with code `typeMismatch` if the value isn't text.
    public func text(_ column: Int) throws -> String? {
        switch self[column] {
        case .null: return nil
        case .text(let value), .json(let value): return value
        case .integer(let value): return String(value)
        case .uuid(let value): return value.uuidString.lowercased()
        default: throw mismatch(column, "text")
        }
    }

    /// The point in time in a column.
    /// - Parameter column: The column's number, counted from zero.
    /// - Returns: The time, or nil for null.
    /// - Throws: ``DionysusError`` with code `typeMismatch` if the value isn't a time.
    public func timestamp(_ column: Int) throws -> Timestamp? {
        switch self[column] {
        case .null: return nil
        case .timestamp(let value): return value
        case .text(let value):
            guard let time = Timestamp(value) else { throw mismatch(column, "a timestamp") }
            return time
        default: throw mismatch(column, "a timestamp")
        }
    }

    func mismatch(_ column: Int, _ expected: String) -> DionysusError {
        DionysusError(.typeMismatch, "column \(columns[column]) does not hold \(expected)")
    }
}
