import Dionysus
import GRDBSQLite

/// A reader of a ``ListTable``.
struct ListCursor {
    /// What SQLite knows of it, which has to come first.
    private var base = sqlite3_vtab_cursor()
    private var lists: BoundLists?
    var row = 0

    static func make() -> UnsafeMutablePointer<sqlite3_vtab_cursor> {
        let cursor = UnsafeMutablePointer<ListCursor>.allocate(capacity: 1)
        cursor.initialize(to: ListCursor())
        return UnsafeMutableRawPointer(cursor).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
    }

    static func at(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> UnsafeMutablePointer<ListCursor>? {
        cursor.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: ListCursor.self) }
    }

    /// Begins with the first row.
    mutating func start(_ lists: OpaquePointer?) {
        self.lists = BoundLists.bound(lists)
        row = 0
    }

    var isAtEnd: Bool { row >= lists?.columns.first?.count ?? 0 }

    /// Tells SQLite a value of the row; a column that there is no list for is null.
    func tell(column: Int, to context: OpaquePointer?) {
        guard let lists, lists.columns.indices.contains(column), lists.columns[column].indices.contains(row) else {
            return
        }
        if !lists.lentTexts.isEmpty, let text = lists.lentTexts[column] {
            // It stays where it is until the statement has ended.
            return Self.lend(text, to: context)
        }
        lists.columns[column][row].tell(context)
    }

    private static func lend(_ text: UnsafeBufferPointer<UInt8>, to context: OpaquePointer?) {
        text.withMemoryRebound(to: CChar.self) {
            sqlite3_result_text64(context, $0.baseAddress, sqlite3_uint64($0.count), nil, UInt8(SQLITE_UTF8))
        }
    }
}

extension Dionysus.DatabaseValue {
    /// Gives the value to SQLite, in the form in which it is bound when it stands alone.
    fileprivate func tell(_ context: OpaquePointer?) {
        switch self {
        case .null: sqlite3_result_null(context)
        case .bool(let value): sqlite3_result_int64(context, value ? 1 : 0)
        case .integer(let value): sqlite3_result_int64(context, value)
        case .double(let value): sqlite3_result_double(context, value)
        case .text(let text), .json(let text): Self.tell(text, context)
        case .decimal(let value): Self.tell(value.description, context)
        case .timestamp(let value): Self.tell(value.description, context)
        case .uuid(let value): Self.tell(value.uuidString.lowercased(), context)
        case .bytes(let bytes): Self.tell(bytes, context)
        case .array: Self.tell(JSON(listing: self).text, context)
        }
    }

    private static func tell(_ text: String, _ context: OpaquePointer?) {
        var text = text
        text.withUTF8 { bytes in
            // An empty buffer may have no address, which would be null.
            guard let address = bytes.baseAddress, !bytes.isEmpty else {
                return sqlite3_result_text(context, "", 0, copying)
            }
            address.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                sqlite3_result_text64(context, $0, sqlite3_uint64(bytes.count), copying, UInt8(SQLITE_UTF8))
            }
        }
    }

    private static func tell(_ bytes: [UInt8], _ context: OpaquePointer?) {
        guard !bytes.isEmpty else { return sqlite3_result_zeroblob(context, 0) }
        bytes.withUnsafeBytes {
            sqlite3_result_blob64(context, $0.baseAddress, sqlite3_uint64($0.count), copying)
        }
    }

    /// Makes SQLite copy what it is given before the call returns.
    private static var copying: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}
