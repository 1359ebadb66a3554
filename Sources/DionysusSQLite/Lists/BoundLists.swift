import Dionysus
import GRDB
import GRDBSQLite

/// Lists that are bound to a statement, for a ``ListTable``.
final class BoundLists {
    /// Tells SQLite and the table what the pointer is to.
    private static let pointerType: StaticString = "dionysus-lists"

    let columns: [[Dionysus.DatabaseValue]]

    /// - Returns: Nil for a value that is not a list of lists.
    init?(_ value: Dionysus.DatabaseValue) {
        guard case .array(_, let elements) = value, !elements.isEmpty else { return nil }
        var columns: [[Dionysus.DatabaseValue]] = []
        for element in elements {
            guard case .array(_, let values) = element else { return nil }
            columns.append(values)
        }
        self.columns = columns
    }

    /// Lends itself to a statement until something else is bound, or the statement ends.
    func bind(to statement: Statement, at index: Int) throws {
        let code = sqlite3_bind_pointer(
            statement.sqliteStatement,
            CInt(index),
            Unmanaged.passRetained(self).toOpaque(),
            Self.pointerName
        ) { lists in
            if let lists { Unmanaged<BoundLists>.fromOpaque(lists).release() }
        }
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    /// The lists that were bound, as SQLite hands them back.
    static func bound(_ value: OpaquePointer?) -> BoundLists? {
        sqlite3_value_pointer(value, pointerName).map { Unmanaged<BoundLists>.fromOpaque($0).takeUnretainedValue() }
    }

    private static var pointerName: UnsafePointer<CChar> {
        UnsafeRawPointer(pointerType.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
