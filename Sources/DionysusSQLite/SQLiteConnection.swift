import Dionysus
import GRDB

import struct Foundation.Data

/// GRDB's connection for the length of a transaction.
final class SQLiteConnection: DatabaseConnection {
    private let database: GRDB.Database
    private let path: String
    private var hasMarker = false

    init(database: GRDB.Database, path: String) {
        self.database = database
        self.path = path
    }

    var dialect: any SQLDialect { SQLiteDialect() }

    func run(_ statements: [Dionysus.SQL]) throws -> [ResultSet] {
        do {
            return try statements.map { try run($0) }
        } catch {
            throw SQLiteFailure(error, at: path).error
        }
    }

    private func run(_ sql: Dionysus.SQL) throws -> ResultSet {
        let (text, values) = sql.rendered(for: dialect)
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
        try statement.setArguments(StatementArguments(values.map { try $0.bound() }))
        let width = statement.columnCount
        var cells: [Dionysus.DatabaseValue] = []
        let rows = try GRDB.Row.fetchCursor(statement)
        while let row = try rows.next() {
            for column in 0..<width { cells.append(Dionysus.DatabaseValue(row[column] as GRDB.DatabaseValue)) }
        }
        // Asked after a query, SQLite still tells what the last statement before it changed.
        let affectedRows =
            if !statement.isReadonly { database.changesCount } else { width == 0 ? 0 : cells.count / width }
        return ResultSet(columns: statement.columnNames, cells: cells, affectedRows: affectedRows)
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
    /// - Throws: ``DionysusError`` with code `typeMismatch` for text with a zero byte, where SQLite would end the text.
    fileprivate func bound() throws -> GRDB.DatabaseValue {
        guard isStorable else {
            throw DionysusError(
                .typeMismatch,
                "text with a zero byte can't be stored in SQLite",
                advice: "remove the byte, or use a column of bytes"
            )
        }
        return switch self {
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

    fileprivate init(_ value: GRDB.DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let integer): self = .integer(integer)
        case .double(let double): self = .double(double)
        case .string(let text): self = .text(text)
        case .blob(let data): self = .bytes(Array(data))
        }
    }
}
