import Dionysus
import GRDB
import GRDBSQLite

/// The statement that writes messages.
///
/// It lends SQLite the bytes for as long as it runs instead of copying them.
struct MessageInsertion {
    private let statement: Statement

    init(_ connection: Connection) throws {
        statement = try connection.cachedStatement(
            sql: "INSERT INTO messages (id, timestamp, key, value, headers) VALUES (?, ?, ?, ?, ?)"
        )
        // The values are bound without GRDB, which has to know that there is nothing more to bind.
        statement.setUncheckedArguments(StatementArguments())
    }

    func insert(_ id: Int64, _ timestamp: Int64, _ key: [UInt8]?, _ value: [UInt8]?, _ headers: [UInt8]?) throws {
        let handle = statement.sqliteStatement
        defer {
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
        }
        try check(sqlite3_bind_int64(handle, 1, id))
        try check(sqlite3_bind_int64(handle, 2, timestamp))
        try bind(key, at: 3) {
            try bind(value, at: 4) {
                try bind(headers, at: 5) { try statement.execute() }
            }
        }
    }

    private func bind(_ bytes: [UInt8]?, at index: CInt, _ body: () throws -> Void) throws {
        guard let bytes else {
            try check(sqlite3_bind_null(statement.sqliteStatement, index))
            return try body()
        }
        try bytes.withUnsafeBytes { bytes in
            // No bytes would be read as null, so they are stored as an empty text.
            let code =
                bytes.isEmpty
                ? sqlite3_bind_text(statement.sqliteStatement, index, "", 0, nil)
                : sqlite3_bind_blob64(statement.sqliteStatement, index, bytes.baseAddress, UInt64(bytes.count), nil)
            try check(code)
            try body()
        }
    }

    private func check(_ code: CInt) throws {
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}
