/// The SQL that differs between databases.
///
/// All other SQL is the same.
public protocol SQLDialect: Sendable {
    /// The name of the dialect, for messages: `PostgreSQL`, `SQLite`.
    var name: String { get }

    /// Whether a column holds only values of its type. True by default.
    var enforcesTypes: Bool { get }

    /// The placeholder of the n-th value, counted from one.
    func placeholder(_ number: Int) -> String

    /// A quoted identifier; a dot separates schema and table.
    func quoted(_ identifier: String) -> String

    /// The column type for a declaration.
    func columnType(_ type: ColumnType) -> String

    /// The current time, not the transaction's, as a value of a timestamp column.
    var now: SQL { get }

    /// The current time shifted into the past.
    func now(minus seconds: Double) -> SQL

    /// A condition that `expression` is one of `values`, which are bound as one array.
    func isAny(_ expression: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL

    /// A condition as ``isAny(_:of:type:)`` on a key that forces the use of the key's index, even if the planner would
    /// prefer to scan the whole table for so many values.
    ///
    /// Combined with `OR`, it may prevent the use of any index.
    func isAnyKey(_ key: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL

    /// A table expression with one row per element of the columns, which are bound as one array each.
    ///
    /// Use it in a `FROM` clause: `\(rows) AS v(a, b)`. The result includes the alias. All columns have the same number
    /// of elements; the rows keep their order.
    func rows(_ columns: [BulkColumn], alias: String) -> SQL

    /// As ``rows(_:alias:)``, for a statement that looks up one table row by a unique key for each of them.
    ///
    /// It hides the number of rows from the planner, which might otherwise scan the whole table, however large.
    func lookupRows(_ columns: [BulkColumn], alias: String) -> SQL

    /// A column of ``rows(_:alias:)`` in a form that can be assigned to a table's column. Types that Dionysus passes as
    /// text are cast if the database doesn't do so itself.
    func assignable(_ expression: SQL, to column: ColumnDescription) -> SQL

    /// A condition that a column holds something else than an expression would become if it were assigned to it.
    /// - Parameters:
    ///   - name: The column as the statement names it.
    ///   - expression: A column of ``rows(_:alias:)``.
    ///   - column: The column's description.
    func differs(_ name: SQL, from expression: SQL, in column: ColumnDescription) -> SQL

    /// A time in a form that can be compared with other times in this form.
    ///
    /// In a database that stores times as text, programs use several formats.
    func comparableTime(_ expression: SQL) -> SQL

    /// An expression cast to text; for a UUID stored as 16 bytes, the UUID's text.
    func asText(_ expression: SQL) -> SQL

    /// The type with which the database has stored a value; nil, the default, if a column holds only values of its
    /// type.
    func storedType(of expression: SQL) -> SQL?

    /// The lane of an outbox row: a number from 0 up to, but not including, `lanes`, computed in SQL from a text
    /// expression.
    ///
    /// The index and the queries that use it contain the same expression, so it must never change.
    func laneExpression(_ text: String, lanes: Int) -> String

    /// A lock clause for rows that the transaction will change; empty if writers exclude each other anyway.
    var forUpdate: String { get }

    /// The number of the running transaction, which it has from then on; a transaction that gets one later has a higher one.
    ///
    /// With ``oldestTransaction`` it shows when all transactions that ran at a moment have ended. Both are 0, the default,
    /// if writers exclude each other anyway.
    var transactionNumber: SQL { get }

    /// The lowest number of a transaction that has not ended; if there is none, the next number.
    var oldestTransaction: SQL { get }

    /// Statements that take the exclusive lock `name` until the transaction ends.
    ///
    /// Empty if writers exclude each other anyway. Otherwise the locks are rows of the table that ``lockCreation``
    /// creates, so only roles with privileges on that table can hold them. These statements, and later ones of the
    /// transaction, wait a few seconds for a lock and then fail with `transactionConflict`. Take several locks in the
    /// order of their names.
    /// - Parameter name: The name, which must not be used with ``transactionLock(_:shared:)``.
    func transactionLock(_ name: String) -> [SQL]

    /// Statements that take the lock `name` exclusively or shared.
    ///
    /// As ``transactionLock(_:)``. Requests are granted in order, so shared holders can't starve an exclusive one.
    /// - Parameters:
    ///   - name: The name, which must not be used with ``transactionLock(_:)``.
    ///   - shared: Whether the lock is shared.
    func transactionLock(_ name: String, shared: Bool) -> [SQL]

    /// The statement that creates the lock table if it is missing; nil if locks need no table.
    var lockCreation: SQL? { get }

    /// Statements that remove the lock table, unless another remaining table of Dionysus may need it.
    var lockRemoval: [SQL] { get }

    /// A statement that returns the database's text encoding; nil, the default, if every encoding can store all Unicode
    /// text.
    var encodingQuery: SQL? { get }
}

/// The lock table, if the database has one.
package let lockTable = "dionysus_locks"

extension SQLDialect {
    public var enforcesTypes: Bool { true }

    public func quoted(_ identifier: String) -> String {
        // Works on bytes for speed: each execution of a statement quotes a dozen names.
        var quoted: [UInt8] = []
        quoted.reserveCapacity(identifier.utf8.count + 8)
        quoted.append(UInt8(ascii: "\""))
        for byte in identifier.utf8 {
            switch byte {
            case 0: break
            case UInt8(ascii: "."): quoted += "\".\"".utf8
            case UInt8(ascii: "\""): quoted += "\"\"".utf8
            default: quoted.append(byte)
            }
        }
        quoted.append(UInt8(ascii: "\""))
        return String(decoding: quoted, as: UTF8.self)
    }

    public func isAnyKey(_ key: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL {
        isAny(key, of: values, type: type)
    }

    public func lookupRows(_ columns: [BulkColumn], alias: String) -> SQL { rows(columns, alias: alias) }
    public func assignable(_ expression: SQL, to column: ColumnDescription) -> SQL { expression }
    public func differs(_ name: SQL, from expression: SQL, in column: ColumnDescription) -> SQL {
        "\(name) IS DISTINCT FROM \(assignable(expression, to: column))"
    }
    public func comparableTime(_ expression: SQL) -> SQL { expression }
    public func storedType(of expression: SQL) -> SQL? { nil }
    public var transactionNumber: SQL { "0" }
    public var oldestTransaction: SQL { "0" }
    public var lockCreation: SQL? { nil }
    public var lockRemoval: [SQL] { [] }
    public var encodingQuery: SQL? { nil }
}

/// The column types in tables that Dionysus creates.
public enum ColumnType: Sendable, Hashable {
    /// A generated 64-bit primary key whose values are never reused. The text includes `PRIMARY KEY`.
    case identity
    case bigint
    case integer
    case smallint
    case boolean
    case double
    case decimal(precision: Int, scale: Int)
    /// A decimal number with any number of digits.
    case anyDecimal
    case text
    /// A day without a time.
    case date
    case timestamp
    case json
    case uuid
    case bytes
}

/// One column of a bulk statement: a value per row.
public struct BulkColumn: Sendable {
    /// The column's name in the statement.
    public var name: String
    /// The type of all values.
    public var type: DatabaseType
    /// A value per row, each of that type or null.
    public var values: [DatabaseValue]

    /// Creates a column.
    public init(_ name: String, _ type: DatabaseType, _ values: [DatabaseValue]) {
        self.name = name
        self.type = type
        self.values = values
    }
}
