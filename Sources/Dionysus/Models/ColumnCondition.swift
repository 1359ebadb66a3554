/// A condition on one column of a model's table: it has one of some values.
///
///     static var updatesAfterSoftDelete: ColumnCondition? { ColumnCondition("kind", isAnyOf: ["archive", "audit"]) }
///
/// Triggers, relays and the application's recorder find the same, whatever has written the row.
public struct ColumnCondition: Sendable, Hashable {
    /// The column.
    public let column: String
    /// The values, as texts: a number's digits, `true` or `false`.
    public let values: [String]

    /// Creates a condition, which no row fulfils whose column is null.
    public init(_ column: String, isAnyOf values: [String]) {
        self.column = column
        self.values = values
    }

    /// The values as a database writes them that has no booleans.
    package var valuesWithNumbers: [String] {
        values + values.compactMap { $0 == "true" ? "1" : $0 == "false" ? "0" : nil }
    }

    /// Whether a column's value fulfils it.
    package func holds(for value: DatabaseValue) -> Bool {
        switch value {
        case .text(let text): values.contains(text)
        case .bool(let flag): values.contains(String(flag))
        case .integer(let number): valuesWithNumbers.contains(String(number))
        case .uuid(let uuid): values.contains(uuid.uuidString.lowercased())
        default: false
        }
    }

    /// Whether an attribute's value fulfils it.
    package func holds(for value: JSON?) -> Bool {
        switch value {
        case .string(let text): values.contains(text)
        case .bool(let flag): values.contains(String(flag))
        case .integer(let number): values.contains(String(number))
        default: false
        }
    }

    /// The condition in a statement.
    package func sql(_ alias: SQL, _ dialect: any SQLDialect) -> SQL {
        let texts = dialect.enforcesTypes ? values : valuesWithNumbers
        return dialect.isAny(
            dialect.asText("\(alias).\(identifier: column)"),
            of: texts.map { .text($0) },
            type: .text
        )
    }
}
