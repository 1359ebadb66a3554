/// A condition on a column of a model's table: the value is one of a list.
///
///     static var updatesAfterSoftDelete: ColumnCondition? { ColumnCondition("kind", isAnyOf: ["archive", "audit"]) }
///
/// Triggers, relays and the application's recorder evaluate it in the same way.
public struct ColumnCondition: Sendable, Hashable {
    /// The column.
    package let column: String
    /// The values as text: a number's digits, `true` or `false`.
    package let values: [String]

    /// Creates a condition, which is false for null.
    public init(_ column: String, isAnyOf values: [String]) {
        self.column = column
        self.values = values
    }

    /// The values as written by a database without booleans.
    package var valuesWithNumbers: [String] {
        values + values.compactMap { $0 == "true" ? "1" : $0 == "false" ? "0" : nil }
    }

    /// Whether a column's value satisfies it.
    package func holds(for value: DatabaseValue) -> Bool {
        switch value {
        case .text(let text): values.contains(text)
        case .bool(let flag): values.contains(String(flag))
        case .integer(let number): valuesWithNumbers.contains(String(number))
        case .uuid(let uuid): values.contains(uuid.uuidString.lowercased())
        default: false
        }
    }

    /// Whether an attribute's value satisfies it.
    package func holds(for value: JSON?) -> Bool {
        switch value {
        case .string(let text): values.contains(text)
        case .bool(let flag): values.contains(String(flag))
        case .integer(let number): values.contains(String(number))
        default: false
        }
    }

    /// The condition as SQL.
    package func sql(_ alias: SQL, _ dialect: any SQLDialect) -> SQL {
        let texts = dialect.enforcesTypes ? values : valuesWithNumbers
        return dialect.isAny(
            dialect.asText("\(alias).\(identifier: column)"),
            of: texts.map { .text($0) },
            type: .text
        )
    }
}
