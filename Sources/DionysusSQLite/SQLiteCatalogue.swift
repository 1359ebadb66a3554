import Dionysus

/// SQLite's catalogue.
struct SQLiteCatalogue {
    let connection: SQLiteConnection

    func describe(_ table: String) throws -> TableDescription? {
        let columns =
            try
            connection.run([
                "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(\(table)) ORDER BY cid"
            ])[0]
        guard !columns.isEmpty else { return nil }
        var places: [(place: Int64, name: String)] = []
        for row in columns.rows {
            let place = try row.integer(4) ?? 0
            if place > 0 { places.append((place, try row.text(0) ?? "")) }
        }
        let primaryKey = places.sorted { $0.place < $1.place }.map(\.name)
        let loose = try columnsIgnoringSpelling(table)
        return TableDescription(
            name: table,
            columns: try columns.rows.map { try column($0, primaryKey: primaryKey, loose: loose) },
            primaryKey: primaryKey,
            uniqueKeys: try uniqueKeys(table, primaryKey),
            conditionalUniqueKeys: try namedUniqueKeys(table, partial: true),
            triggers:
                try
                connection.run([
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = \(table) ORDER BY name"
                ])[0]
                .rows.compactMap { try $0.text(0) }
        )
    }

    /// The columns of the primary key under another collation than the exact one.
    private func columnsIgnoringSpelling(_ table: String) throws -> Set<String> {
        let columns =
            try
            connection.run([
                """
                SELECT c.name FROM pragma_index_list(\(table)) i, pragma_index_xinfo(i.name) c
                WHERE i.origin = 'pk' AND c.key = 1 AND c.coll <> 'BINARY'
                """
            ])[0]
        return Set(try columns.rows.compactMap { try $0.text(0) })
    }

    private func column(_ row: Row, primaryKey: [String], loose: Set<String>) throws -> ColumnDescription {
        let name = try row.text(0) ?? ""
        let declared = try row.text(1) ?? ""
        let takesNull = try row.integer(2) == 0
        // A key that is left out is the next number if it is the row's, and otherwise null, as no standard has it.
        let canBeLeftOut = !row[3].isNull || primaryKey.contains(name) && takesNull
        return ColumnDescription(
            name: name,
            type: Self.type(declared),
            declaredType: declared,
            isNullable: takesNull && !primaryKey.contains(name),
            hasDefault: canBeLeftOut,
            isGenerated: try row.integer(5) ?? 0 > 1,
            ignoresSpelling: loose.contains(name)
        )
    }

    private func uniqueKeys(_ table: String, _ primaryKey: [String]) throws -> [[String]] {
        let named = try namedUniqueKeys(table, partial: false)
        return (primaryKey.isEmpty ? [] : [primaryKey]) + named.filter { $0 != primaryKey }
    }

    /// The columns of unique indexes, those on expressions apart.
    private func namedUniqueKeys(_ table: String, partial isPartial: Bool) throws -> [[String]] {
        let indexes =
            try
            connection.run([
                """
                SELECT name FROM pragma_index_list(\(table)) WHERE "unique" = 1 AND partial = \(isPartial) ORDER BY seq
                """
            ])[0]
            .rows.compactMap { try $0.text(0) }
        var named: [[String]] = []
        for index in indexes {
            let columns = try connection.run(["SELECT name FROM pragma_index_info(\(index)) ORDER BY seqno"])[0]
            let names = try columns.rows.compactMap { try $0.text(0) }
            // An index on an expression has a column without a name.
            if names.count == columns.count { named.append(names) }
        }
        return named
    }

    static func type(_ declared: String) -> DatabaseType? {
        let name = declared.lowercased().prefix { $0 != "(" }.trimmingSpaces
        return switch name {
        case "bool", "boolean": .bool
        case _ where name.contains("int"): .integer
        case "numeric", "decimal": .decimal
        case "real", "float", "double", "double precision": .double
        case _ where name.hasPrefix("timestamp") || name.hasPrefix("datetime"): .timestamp
        case "date", "time": .text
        case _ where name.contains("char") || name.contains("clob") || name.hasPrefix("text"): .text
        case _ where name.hasPrefix("json"): .json
        case "uuid": .uuid
        case "blob", "bytea": .bytes
        default: nil
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
