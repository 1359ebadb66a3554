package import Dionysus

/// How SQLite writes SQL.
package struct SQLiteDialect: SQLDialect {
    /// Creates the dialect.
    package init() {}

    package var name: String { "SQLite" }

    package var enforcesTypes: Bool { false }

    package func placeholder(_ number: Int) -> String { "?\(number)" }

    package func columnType(_ type: ColumnType) -> String {
        switch type {
        case .identity: "INTEGER PRIMARY KEY AUTOINCREMENT"
        case .bigint: "BIGINT"
        case .integer: "INTEGER"
        case .smallint: "SMALLINT"
        case .boolean: "BOOLEAN"
        case .double: "DOUBLE"
        case .decimal(let precision, let scale): "NUMERIC(\(precision),\(scale))"
        case .anyDecimal: "NUMERIC"
        case .text, .uuid, .timestamp, .date: "TEXT"
        // "TEXT" keeps a document that is a number as it was written.
        case .json: "JSON TEXT"
        case .bytes: "BLOB"
        }
    }

    package var now: SQL { SQL(raw: SQLiteCaptureTriggers.now) }

    package func now(minus seconds: Double) -> SQL {
        "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', \(String(-seconds) + " seconds"))"
    }

    package func isAny(_ expression: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL {
        "\(expression) IN (SELECT \(raw: stored("c0", type)) FROM \(ListTable.sql([(type, values)])))"
    }

    /// All columns travel as one value, however many rows there are.
    package func rows(_ columns: [BulkColumn], alias: String) -> SQL {
        let fields = columns.enumerated()
            .map { index, column in "\(stored("c\(index)", column.type)) AS \(quoted(column.name))" }
        let lists = ListTable.sql(columns.map { ($0.type, $0.values) })
        return "(SELECT \(raw: fields.joined(separator: ", ")) FROM \(lists)) AS \(raw: quoted(alias))"
    }

    /// An element of a list as a column of the type has it.
    private func stored(_ value: String, _ type: DatabaseType) -> String {
        switch type {
        case .decimal: "CAST(\(value) AS NUMERIC)"
        case .double: "CAST(\(value) AS REAL)"
        case .bool, .integer, .text, .timestamp, .uuid, .json, .bytes: value
        }
    }

    /// With or without a `T`, a fraction and a `Z`: zeros at the end change neither what is equal nor the order.
    package func differs(_ name: SQL, from expression: SQL, in column: ColumnDescription) -> SQL {
        "\(name) IS NOT \(expression)"
    }

    package func comparableTime(_ expression: SQL) -> SQL { "rtrim(replace(\(expression), ' ', 'T'), 'Z0.')" }

    /// What stands around an expression to make it text, at each of the places where it stands.
    ///
    /// 16 bytes are a UUID, as GRDB writes it.
    static let textParts = [
        "CASE WHEN typeof(", ") = 'blob' AND length(", ") = 16 THEN lower(hex(substr(",
        ", 1, 4)) || '-' || hex(substr(",
        ", 5, 2)) || '-' || hex(substr(", ", 7, 2)) || '-' || hex(substr(", ", 9, 2)) || '-' || hex(substr(",
        ", 11))) ELSE CAST(", " AS TEXT) END",
    ]

    package func asText(_ expression: SQL) -> SQL {
        let (first, rest) = (Self.textParts[0], Self.textParts.dropFirst())
        return rest.reduce(into: SQL(raw: first)) { text, part in
            text += expression
            text += SQL(raw: part)
        }
    }

    package func storedType(of expression: SQL) -> SQL? { "typeof(\(expression))" }

    /// Built from functions that every SQLite has and that an index may use: the length, the first and the last six
    /// characters, each with a weight.
    package func laneExpression(_ text: String, lanes: Int) -> String {
        let weights = [1, 7, 31, 127, 509, 2_039]
        let last = weights.enumerated()
            .map { index, weight in
                "coalesce(unicode(substr(\(text), -\(index + 1), 1)), 0) * \(weight)"
            }
        return
            "((length(\(text)) * 8191 + coalesce(unicode(\(text)), 0) * 131 + \(last.joined(separator: " + "))) % \(lanes))"
    }

    package var forUpdate: String { "" }

    package func transactionLock(_ name: String) -> [SQL] { [] }

    package func transactionLock(_ name: String, shared: Bool) -> [SQL] { [] }
}
