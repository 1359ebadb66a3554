import Foundation
import GRDB
import GRDBSQLite

/// Bytes in a column of the log, read without making `Data` of them.
struct LogBytes: DatabaseValueConvertible, StatementColumnConvertible {
    let bytes: [UInt8]

    init(sqliteStatement: SQLiteStatement, index: CInt) {
        let count = Int(sqlite3_column_bytes(sqliteStatement, index))
        bytes = Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(sqliteStatement, index), count: count))
    }

    private init(_ data: Data) { bytes = Array(data) }

    var databaseValue: DatabaseValue { Data(bytes).databaseValue }

    static func fromDatabaseValue(_ value: DatabaseValue) -> LogBytes? {
        Data.fromDatabaseValue(value).map { LogBytes($0) }
    }
}
