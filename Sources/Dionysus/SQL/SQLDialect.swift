/// What two databases write differently.
///
/// Everything else is the same SQL.
public protocol SQLDialect: Sendable {
    /// The name of the dialect, for messages: `PostgreSQL`, `SQLite`.
    var name: String { get }

    /// Whether a column holds values of its type only. True by default.
    var enforcesTypes: Bool { get }

    /// The placeholder of the n-th value, counted from one.
    func placeholder(_ number: Int) -> String

    /// A quoted identifier; a dot separates schema and table.
    func quoted(_ identifier: String) -> String

    /// The column type for a declaration.
    func columnType(_ type: ColumnType) -> String

    /// The clock's time, not the transaction's, as a value of a timestamp column.
    var now: SQL { get }

    /// The clock's time shifted into the past.
    func now(minus seconds: Double) -> SQL

    /// A condition that holds where `expression` is one of `values`, which are bound as one array.
    func isAny(_ expression: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL

    /// A condition as ``isAny(_:of:type:)`` on a key: rows are found through the key's index, although the database may think
    /// that so many are found sooner by reading the whole table.
    ///
    /// As an alternative, beside an `OR`, it may keep the database from using any index.
    func isAnyKey(_ key: SQL, of values: [DatabaseValue], type: DatabaseType) -> SQL

    /// A table expression with one row per element of the columns, which are bound as one array each.
    ///
    /// It is meant to stand in a `FROM` clause: `\(rows) AS v(a, b)`. The alias is part of what is returned.
    /// All columns have the same number of elements; the rows come in their order.
    func rows(_ columns: [BulkColumn], alias: String) -> SQL

    /// The same as ``rows(_:alias:)``, for a statement that finds a row of a table by a unique key for each of them.
    ///
    /// A planner that knows how many they are may rather read the whole table, however large.
    func lookupRows(_ columns: [BulkColumn], alias: String) -> SQL

    /// A column of ``rows(_:alias:)`` as it can be assigned to a column of a table. Types that Dionysus passes on as
    /// text are cast where the database doesn't do it by itself.
    func assignable(_ expression: SQL, to column: ColumnDescription) -> SQL

    /// A time as it can be compared with another one that went through this, too.
    ///
    /// Where times are text, programs write them in several ways.
    func comparableTime(_ expression: SQL) -> SQL

    /// An expression cast to text; of 16 bytes, where UUIDs are stored so, the UUID's text.
    func asText(_ expression: SQL) -> SQL

    /// The type under which the database has stored a value; nil, as by default, where a column holds values of its type
    /// only.
    func storedType(of expression: SQL) -> SQL?

    /// The lane of an outbox row: a number from 0 up to `lanes`, computed from a text expression in SQL alone.
    ///
    /// The same expression stands in the index and in the queries that use it, so it never changes.
    func laneExpression(_ text: String, lanes: Int) -> String

    /// A lock clause for rows that the transaction is going to change, or nothing where writers exclude each other anyhow.
    var forUpdate: String { get }

    /// Statements that take the lock `name`, which one transaction holds at a time, until it ends.
    ///
    /// Empty where writers exclude each other anyhow. Else the locks are rows of the table that ``lockCreation`` makes, so that only a role with
    /// rights on that table can hold them up. The statements, and those that follow in the transaction, wait a few seconds
    /// for a lock and then fail with `transactionConflict`. Who takes several locks takes them in the order of their names.
    /// - Parameter name: The name, which is not used with ``transactionLock(_:shared:)``.
    func transactionLock(_ name: String) -> [SQL]

    /// Statements that take the lock `name`, which either one transaction holds alone or several share.
    ///
    /// As ``transactionLock(_:)``; who asks first gets it first, so that those who share can't starve the one who waits.
    /// - Parameters:
    ///   - name: The name, which is not used with ``transactionLock(_:)``.
    ///   - shared: Whether others may share it.
    func transactionLock(_ name: String, shared: Bool) -> [SQL]

    /// The statement that makes the table of locks if it isn't there, or nil where locks need none.
    var lockCreation: SQL? { get }

    /// Statements that remove the table of locks unless another table of Dionysus is left that may need it.
    var lockRemoval: [SQL] { get }

    /// A statement that asks for the encoding in which the database keeps text; nil, as by default, if it can hold every
    /// text whatever that is.
    var encodingQuery: SQL? { get }
}

/// The table of locks, where there is one.
package let lockTable = "dionysus_locks"

extension SQLDialect {
    public var enforcesTypes: Bool { true }

    public func quoted(_ identifier: String) -> String {
        // Byte by byte: each statement quotes a dozen names each time it is run.
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
    public func comparableTime(_ expression: SQL) -> SQL { expression }
    public func storedType(of expression: SQL) -> SQL? { nil }
    public var lockCreation: SQL? { nil }
    public var lockRemoval: [SQL] { [] }
    public var encodingQuery: SQL? { nil }
}

/// The types of column in tables that Dionysus itself creates.
public enum ColumnType: Sendable, Hashable {
    /// A generated 64-bit primary key whose values are never reused. The text includes `PRIMARY KEY`.
    case identity
    case bigint
    case integer
    case smallint
    case boolean
    case double
    case decimal(precision: Int, scale: Int)
    /// A decimal number with as many digits as it has.
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
    /// The name by which the statement refers to the column.
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
