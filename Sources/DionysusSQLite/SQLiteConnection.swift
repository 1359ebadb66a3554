import Dionysus
import GRDB
import GRDBSQLite

import struct Foundation.Data

/// GRDB's connection for the length of a transaction.
final class SQLiteConnection: DatabaseConnection {
    private let database: GRDB.Database
    private let path: String
    private var hasMarker = false
    private var hasLists: Bool

    /// - Parameters:
    ///   - database: The connection, in a transaction.
    ///   - path: Where the database is, for messages.
    ///   - hasLists: Whether the connection is known to have the ``ListTable``s.
    init(database: GRDB.Database, path: String, hasLists: Bool = true) {
        self.database = database
        self.path = path
        self.hasLists = hasLists
    }

    var dialect: any SQLDialect { SQLiteDialect() }

    func run(_ statements: [Dionysus.SQL]) throws -> [ResultSet] {
        try runLast(statements, upTo: .max) ?? []
    }

    func runLast(_ statements: [Dionysus.SQL], upTo size: Int) throws -> [ResultSet]? {
        do {
            var (results, room) = ([ResultSet](), size)
            for statement in statements {
                guard let result = try run(statement, &room) else { return nil }
                results.append(result)
            }
            return results
        } catch {
            throw SQLiteFailure(error, at: path).error
        }
    }

    /// - Parameter room: The size in bytes that results may still have.
    /// - Returns: nil if the result is larger.
    private func run(_ sql: Dionysus.SQL, _ room: inout Int) throws -> ResultSet? {
        let (text, values) = sql.rendered(for: dialect)
        let lists = values.map(BoundLists.init)
        if !hasLists, lists.contains(where: { $0 != nil }) {
            try ListTable.addIfMissing(to: database)
            hasLists = true
        }
        // Statements that define something are not run again.
        let defines = ["CREATE", "DROP", "ALTER"].contains { text.hasPrefix($0) }
        let statement = defines ? try database.makeStatement(sql: text) : try database.cachedStatement(sql: text)
        if database.configuration.readonly, !statement.isReadonly {
            throw DionysusError(
                .statement,
                "SQLite at \(path) refused a statement that writes: the transaction reads a snapshot",
                advice: "use a transaction of kind write"
            )
        }
        guard values.allSatisfy(\.isStorable) else {
            throw DionysusError(
                .typeMismatch,
                "SQLite can store neither text with a zero byte nor a number that is NaN",
                advice: "remove the byte, use a column of bytes, or store null"
            )
        }
        try statement.setArguments(StatementArguments(zip(values, lists).map { $1 == nil ? $0.bound : .null }))
        // A statement is kept to be run again, but not what it was run with.
        defer { sqlite3_clear_bindings(statement.sqliteStatement) }
        for (index, lists) in lists.enumerated() { try lists?.bind(to: statement, at: index + 1) }
        let width = statement.columnCount
        guard
            let cells = try BoundLists.lendTexts(
                of: lists.compactMap(\.self),
                during: { try Self.cells(of: statement, &room) }
            )
        else { return nil }
        // After a query, SQLite still reports what the last statement before it changed.
        let affectedRows =
            if !statement.isReadonly { database.changesCount } else { width == 0 ? 0 : cells.count / width }
        return ResultSet(columns: statement.columnNames, cells: cells, affectedRows: affectedRows)
    }

    private static func cells(of statement: Statement, _ room: inout Int) throws -> [Dionysus.DatabaseValue]? {
        let width = statement.columnCount
        var cells: [Dionysus.DatabaseValue] = []
        let rows = try GRDB.Row.fetchCursor(statement)
        while try rows.next() != nil {
            for column in 0..<width {
                let cell = DatabaseValue(in: statement.sqliteStatement, at: CInt(column))
                room -= cell.byteCount
                guard room >= 0 else { return nil }
                cells.append(cell)
            }
        }
        return cells
    }

    func suppressCapture() throws {
        try mark(SQLiteTransactionMarker.suppression)
    }

    func setTraceContext(traceparent: String?, tracestate: String?) throws {
        try mark(SQLiteTransactionMarker.traceContext(traceparent, tracestate))
    }

    private func mark(_ statement: Dionysus.SQL) throws {
        _ = try run([statement])
        hasMarker = true
    }

    /// Ends what holds for the transaction only, before it is committed.
    func removeMarker() throws {
        if hasMarker { _ = try run([SQLiteTransactionMarker.removal]) }
    }

    func describe(table: String) throws -> TableDescription? {
        try SQLiteCatalogue(connection: self).describe(table)
    }
}

extension Dionysus.DatabaseValue {
    /// Whether it is neither text with a zero byte, where SQLite would end the text, nor NaN, which it would make null.
    fileprivate var isStorable: Bool {
        switch self {
        case .text(let text), .json(let text): !text.hasZeroByte
        case .double(let number): !number.isNaN
        case .decimal(let number): number.isNumber
        case .array(_, let values): values.allSatisfy(\.isStorable)
        default: true
        }
    }

    fileprivate var bound: GRDB.DatabaseValue {
        switch self {
        case .null: .null
        case .bool(let value): value.databaseValue
        case .integer(let value): value.databaseValue
        case .double(let value): value.databaseValue
        case .decimal(let value): value.description.databaseValue
        case .text(let value), .json(let value): value.databaseValue
        case .timestamp(let value): value.description.databaseValue
        case .uuid(let value): value.uuidString.lowercased().databaseValue
        case .bytes(let value): Data(value).databaseValue
        case .array(_, let values): JSON.array(values.map(JSON.init(listing:))).text.databaseValue
        }
    }

    /// A cell of the row that a statement is at.
    fileprivate init(in statement: OpaquePointer, at column: CInt) {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: self = .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: self = .double(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            let text = UnsafeBufferPointer(
                start: sqlite3_column_text(statement, column),
                count: Int(sqlite3_column_bytes(statement, column))
            )
            self = .text(String(decoding: text, as: UTF8.self))
        case SQLITE_BLOB:
            let bytes = UnsafeRawBufferPointer(
                start: sqlite3_column_blob(statement, column),
                count: Int(sqlite3_column_bytes(statement, column))
            )
            self = .bytes(Array(bytes))
        default: self = .null
        }
    }
}

extension JSON {
    /// A value in a list that stands alone, as JSON; documents stay the text that they are.
    init(listing value: Dionysus.DatabaseValue) {
        switch value {
        case .json(let text): self = .string(text)
        case .double(let value) where value.isInfinite: self = .number(value > 0 ? "9e999" : "-9e999")
        default: self.init(databaseValue: value)
        }
    }
}
