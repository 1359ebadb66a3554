import Dionysus
import GRDBSQLite

/// What expressions read is asked of SQLite's authorizer, in a database in memory that has the tables and views but no
/// rows, so that nothing of the application's connection changes.
///
/// The record's row comes from a table of its own, so that reads of it differ from those of other rows of its table.
extension SQLiteConnection: ExpressionDescribing {
    func describe(expression: String, of table: String, as row: String) throws -> ExpressionDescription {
        let schema = try run([
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND sql IS NOT NULL"
        ])[0]
        let scratch = try SQLiteScratch()
        var tables: Set<String> = []
        var views: [String: String] = [:]
        for item in schema.rows {
            let (name, sql) = (try item.text(1) ?? "", try item.text(2) ?? "")
            if try item.text(0) == "table" { tables.insert(name) } else { views[name] = sql }
            // What belongs to SQLite itself, or needs an extension, can't be made; an expression that reads it is refused.
            if !name.hasPrefix("sqlite_") { _ = try? scratch.run(sql) }
        }
        try scratch.run("CREATE TEMP TABLE dionysus_row AS SELECT * FROM \(dialect.quoted(table)) LIMIT 0")
        let reads = try scratch.reads(of: "SELECT (\(expression)\n) FROM temp.dionysus_row AS \(quotedName(row))")
        let definitions = views.filter { reads.views.contains($0.key) }.mapValues(Self.query(ofView:))
        var description = ExpressionDescription(definitions: definitions)
        for (name, columns) in reads.tables.sorted(by: { $0.key < $1.key }) where !name.hasPrefix("sqlite_") {
            if name == "dionysus_row" {
                description.ownColumns = columns.sorted()
            } else if tables.contains(name) {
                description.reads.append(.init(table: name, columns: columns.sorted()))
            } else if views[name] == nil, !["json_each", "json_tree"].contains(name) {
                description.opaque.append("the table-valued function \(name)")
            }
        }
        description.unpredictable = SQLiteFunctions.unpredictable(
            reads.functions,
            in: ([expression] + definitions.values).map { SQLTokens($0) }
        )
        return description
    }

    /// The query of a view's definition.
    private static func query(ofView definition: String) -> String {
        guard let start = definition.firstMatch(of: #/(?i)\bas\b/#) else { return definition }
        return String(definition[start.range.upperBound...])
    }

    func foreignKeys() throws -> [ForeignKey] {
        let rows = try run([
            """
            SELECT m.name, f."from", p.name, coalesce(f."to", (
              SELECT c.name FROM pragma_table_info(p.name) c WHERE c.pk = 1
            ))
            FROM sqlite_master m, pragma_foreign_key_list(m.name) f
            JOIN sqlite_master p ON p.type = 'table' AND p.name = f."table" COLLATE NOCASE
            WHERE m.type = 'table' AND NOT EXISTS (
              SELECT 1 FROM pragma_foreign_key_list(m.name) o WHERE o.id = f.id AND o.seq > 0
            ) ORDER BY 1, 2, 3, 4
            """
        ])[0]
        return try rows.rows.map { row in
            ForeignKey(
                table: try row.text(0) ?? "",
                column: try row.text(1) ?? "",
                otherTable: try row.text(2) ?? "",
                otherColumn: try row.text(3) ?? ""
            )
        }
    }

    func describedName(ofTable table: String) throws -> String? {
        try run(["SELECT name FROM sqlite_master WHERE type = 'table' AND name = \(table) COLLATE NOCASE"])[0].first?
            .text(0)
    }
}

/// Functions whose values change by themselves.
private enum SQLiteFunctions {
    private static let always: Set<String> = [
        "random", "randomblob", "last_insert_rowid", "changes", "total_changes", "current_timestamp", "current_date",
        "current_time",
    ]
    private static let ofTime: Set<String> = [
        "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff",
    ]

    static func unpredictable(_ functions: Set<String>, in texts: [SQLTokens]) -> [String] {
        let names = Set(functions.map { $0.lowercased() })
        let ofClock = names.intersection(ofTime).filter { name in texts.contains { readsClock(name, $0.tokens) } }
        return names.intersection(always).union(ofClock).sorted()
    }

    /// Whether a function of time is called with `'now'`, or with so little that it means now.
    private static func readsClock(_ name: String, _ tokens: [SQLTokens.Token]) -> Bool {
        tokens.indices.contains { index in
            guard tokens[index] == .name(name), index + 1 < tokens.count, tokens[index + 1] == .symbol("(") else {
                return false
            }
            let arguments = arguments(tokens[(index + 2)...])
            let first = name == "strftime" ? 1 : 0
            guard arguments.count > first else { return true }
            return arguments.joined()
                .contains { token in
                    guard case .literal(let text) = token else { return false }
                    return ["now", "subsec", "subsecond"].contains(text.lowercased())
                }
        }
    }

    private static func arguments(_ tokens: ArraySlice<SQLTokens.Token>) -> [[SQLTokens.Token]] {
        var arguments: [[SQLTokens.Token]] = [[]]
        var depth = 0
        loop: for token in tokens {
            switch token {
            case .symbol("("): depth += 1
            case .symbol(")"):
                if depth == 0 { break loop }
                depth -= 1
            case .symbol(",") where depth == 0:
                arguments.append([])
                continue
            default: break
            }
            arguments[arguments.count - 1].append(token)
        }
        return arguments == [[]] ? [] : arguments
    }
}

/// A database in memory that has a schema and no rows.
private final class SQLiteScratch {
    /// What a statement reads.
    final class Reads {
        /// The columns by table.
        var tables: [String: Set<String>] = [:]
        var views: Set<String> = []
        var functions: Set<String> = []
    }

    private let connection: OpaquePointer

    init() throws {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            ":memory:",
            &opened,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
            nil
        )
        guard code == SQLITE_OK, let opened else {
            sqlite3_close_v2(opened)
            throw DionysusError(.databaseUnavailable, "SQLite can't open a database in memory (code \(code))")
        }
        connection = opened
    }

    deinit { sqlite3_close_v2(connection) }

    func run(_ sql: String) throws {
        guard sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK else { throw failure }
    }

    /// What a query reads, without running it.
    func reads(of query: String) throws -> Reads {
        let reads = Reads()
        let pointer = Unmanaged.passUnretained(reads).toOpaque()
        sqlite3_set_authorizer(
            connection,
            { pointer, action, first, second, _, view in
                guard let pointer else { return SQLITE_DENY }
                let reads = Unmanaged<Reads>.fromOpaque(pointer).takeUnretainedValue()
                if let view { reads.views.insert(String(cString: view)) }
                switch action {
                case SQLITE_READ:
                    guard let first else { break }
                    let column = second.map { String(cString: $0) } ?? ""
                    reads.tables[String(cString: first), default: []].formUnion(column.isEmpty ? [] : [column])
                case SQLITE_FUNCTION: if let second { reads.functions.insert(String(cString: second)) }
                default: break
                }
                return SQLITE_OK
            },
            pointer
        )
        defer { sqlite3_set_authorizer(connection, nil, nil) }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v2(connection, query, -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        guard code == SQLITE_OK else { throw failure }
        guard sqlite3_column_count(statement) == 1 else {
            throw DionysusError(.statement, "the expression has \(sqlite3_column_count(statement)) values and not one")
        }
        guard sqlite3_bind_parameter_count(statement) == 0 else {
            throw DionysusError(.statement, "the expression has a parameter, which nothing fills")
        }
        return withExtendedLifetime(reads) { reads }
    }

    private var failure: DionysusError {
        DionysusError(.statement, "SQLite: \(String(cString: sqlite3_errmsg(connection)))")
    }
}
