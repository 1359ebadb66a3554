import Dionysus
import GRDB
import GRDBSQLite

/// Lists of values as tables: a column for each list, a row for each element.
///
///     SELECT c0, c1 FROM dionysus_lists_8(?1)
///
/// So a statement takes any number of rows at once, and SQLite asks for each value when it needs it: nothing is written
/// as text and read again in between.
enum ListTable {
    /// How many columns such a table has is fixed, so there are several.
    ///
    /// SQLite allows 2,000 columns, of which one is hidden.
    private static let widths = [8, 64, 1_999]

    private static func name(width: Int) -> String { "dionysus_lists_\(width)" }

    /// A table expression whose columns `c0`, `c1` and so on are the lists.
    static func sql(_ lists: [(type: DatabaseType, values: [Dionysus.DatabaseValue])]) -> Dionysus.SQL {
        let width = widths.first { $0 >= lists.count } ?? lists.count
        // The elements of a list are of a type of column otherwise, so nothing else is a list of lists.
        let columns = lists.map { Dionysus.DatabaseValue.array($0.type, $0.values) }
        return "\(raw: name(width: width))(\(columns, as: .json))"
    }

    /// Makes the tables known to a connection.
    static func add(to database: GRDB.Database) throws {
        for width in widths {
            let module = ListModule(width: width)
            let code = sqlite3_create_module_v2(
                database.sqliteConnection,
                name(width: width),
                module.functions,
                Unmanaged.passRetained(module).toOpaque()
            ) { module in
                if let module { Unmanaged<ListModule>.fromOpaque(module).release() }
            }
            guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
        }
    }

    /// Makes the tables known to a connection that was opened elsewhere, if they aren't yet.
    static func addIfMissing(to database: GRDB.Database) throws {
        let isKnown = try Bool.fetchOne(
            database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = ?)"),
            arguments: [name(width: widths[0])]
        )
        if isKnown != true { try add(to: database) }
    }
}

/// What SQLite knows of a table of lists; it goes when the connection does.
private final class ListModule {
    let width: Int
    let functions: UnsafeMutablePointer<sqlite3_module>

    init(width: Int) {
        self.width = width
        functions = .allocate(capacity: 1)
        functions.initialize(to: .lists)
    }

    deinit { functions.deallocate() }

    /// The lists are what the table is called with, which for SQLite is a hidden column.
    var declaration: String {
        "CREATE TABLE t (lists HIDDEN, \((0..<width).map { "c\($0)" }.joined(separator: ", ")))"
    }
}

extension sqlite3_module {
    /// A table that is there without being created, and that can only be read.
    fileprivate static var lists: sqlite3_module {
        var module = sqlite3_module()
        module.xConnect = { connection, module, _, _, table, _ in
            guard let module, let table else { return SQLITE_MISUSE }
            let declaration = Unmanaged<ListModule>.fromOpaque(module).takeUnretainedValue().declaration
            let code = sqlite3_declare_vtab(connection, declaration)
            guard code == SQLITE_OK else { return code }
            let new = UnsafeMutablePointer<sqlite3_vtab>.allocate(capacity: 1)
            new.initialize(to: sqlite3_vtab())
            table.pointee = new
            return SQLITE_OK
        }
        module.xDisconnect = { table in
            table?.deallocate()
            return SQLITE_OK
        }
        module.xBestIndex = { _, plan in
            guard let plan else { return SQLITE_MISUSE }
            return plan.pointee.takeLists()
        }
        module.xOpen = { _, cursor in
            cursor?.pointee = ListCursor.make()
            return SQLITE_OK
        }
        module.xClose = { cursor in
            ListCursor.at(cursor)?.deinitialize(count: 1).deallocate()
            return SQLITE_OK
        }
        module.xFilter = { cursor, _, _, _, lists in
            ListCursor.at(cursor)?.pointee.start(lists?.pointee)
            return SQLITE_OK
        }
        module.xNext = { cursor in
            ListCursor.at(cursor)?.pointee.row += 1
            return SQLITE_OK
        }
        module.xEof = { cursor in ListCursor.at(cursor)?.pointee.isAtEnd == false ? 0 : 1 }
        module.xColumn = { cursor, context, column in
            // The first column is the hidden one.
            ListCursor.at(cursor)?.pointee.tell(column: Int(column) - 1, to: context)
            return SQLITE_OK
        }
        module.xRowid = { cursor, id in
            id?.pointee = sqlite3_int64(ListCursor.at(cursor)?.pointee.row ?? 0)
            return SQLITE_OK
        }
        return module
    }
}

extension sqlite3_index_info {
    /// Asks for the lists when the table is read.
    ///
    /// The number of rows is a guess, small enough that rows of other tables are rather looked up for each of these.
    fileprivate mutating func takeLists() -> CInt {
        let constraints = UnsafeBufferPointer(start: aConstraint, count: Int(nConstraint))
        let isLists = { (constraint: sqlite3_index_constraint) in
            constraint.iColumn == 0 && CInt(constraint.op) == SQLITE_INDEX_CONSTRAINT_EQ
        }
        guard let place = constraints.firstIndex(where: isLists), constraints[place].usable != 0 else {
            return SQLITE_CONSTRAINT
        }
        aConstraintUsage[place].argvIndex = 1
        aConstraintUsage[place].omit = 1
        estimatedCost = 1
        estimatedRows = 25
        return SQLITE_OK
    }
}
