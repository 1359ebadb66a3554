import Dionysus

/// The tables of a database, and which of them can be published.
struct DatabaseSurvey: Sendable {
    struct Table: Sendable {
        let name: String
        let key: String
        let columns: [ColumnDescription]
    }

    /// A foreign key of one column to the primary key of another table.
    struct ForeignKey: Sendable, Hashable {
        let table: String
        let column: String
        let target: String
    }

    private(set) var published: [Table] = []
    /// The tables that can't be published, with the reasons.
    private(set) var refused: [(table: String, reason: String)] = []
    private(set) var foreignKeys: [ForeignKey] = []

    init(in transaction: inout Transaction) throws {
        let isPostgres = transaction.dialect.enforcesTypes
        for name in try Self.tables(isPostgres, in: &transaction) where !Self.isToolTable(name) {
            if let fault = Self.nameFault(name) {
                refused.append((name, fault))
                continue
            }
            guard let table = try transaction.describe(table: name) else {
                refused.append((name, "it can't be read by this role"))
                continue
            }
            switch Self.key(of: table, isPostgres) {
            case .success(let key):
                published.append(Table(name: name, key: key, columns: table.columns))
            case .failure(let refusal): refused.append((name, refusal.reason))
            }
        }
        for key in try Self.foreignKeys(of: published, isPostgres, in: &transaction) {
            guard let table = published.first(where: { $0.name == key.table }),
                let target = published.first(where: { $0.name == key.target }),
                let own = table.columns.first(where: { $0.name == key.column })?.type,
                own == target.columns.first(where: { $0.name == target.key })?.type
            else { continue }
            foreignKeys.append(key)
        }
    }

    // MARK: Tables

    private static func tables(_ isPostgres: Bool, in transaction: inout Transaction) throws -> [String] {
        let query: SQL =
            isPostgres
            ? """
            SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END,
              c.relname LIKE '%.%' OR n.nspname LIKE '%.%'
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
              AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
            ORDER BY 1
            """
            : """
            SELECT name, name LIKE '%.%' FROM sqlite_master
            WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1
            """
        return try transaction.run(query).rows.compactMap { try $0.text(0) }
    }

    /// Whether a table is no application's own.
    private static func isToolTable(_ name: String) -> Bool {
        let table = name.split(separator: ".").last.map(String.init) ?? name
        return table.hasPrefix("dionysus_")
            || ["schema_migrations", "ar_internal_metadata", "django_migrations", "flyway_schema_history"]
                .contains(table)
            || ["databasechangelog", "databasechangeloglock", "grdb_migrations"].contains(table)
    }

    private static func nameFault(_ name: String) -> String? {
        if name.count(where: { $0 == "." }) > 1 { return "its name has a dot" }
        return name.unicodeScalars.allSatisfy { $0.value >= 0x20 } ? nil : "its name has control characters"
    }

    // MARK: Keys

    private struct Refusal: Error {
        let reason: String
    }

    private static func key(of table: TableDescription, _ isPostgres: Bool) -> Result<String, Refusal> {
        guard let name = table.primaryKey.first else { return .failure(Refusal(reason: "it has no primary key")) }
        guard table.primaryKey.count == 1, let key = table.column(name) else {
            let columns = table.primaryKey.joined(separator: ", ")
            return .failure(Refusal(reason: "its primary key has several columns: \(columns)"))
        }
        let isKnown = isPostgres ? key.type != nil : !["", "ANY"].contains(key.declaredType.uppercased())
        guard isKnown, let type = key.type, [.integer, .text, .uuid].contains(type) else {
            let type = key.declaredType.isEmpty ? "of no type" : "of type \(key.declaredType)"
            return .failure(
                Refusal(reason: "its primary key \(name) is \(type), which is neither integer, text nor uuid")
            )
        }
        guard !key.ignoresSpelling || type == .integer else {
            return .failure(Refusal(reason: "its primary key \(name) takes differently written texts for equal"))
        }
        return .success(name)
    }

    // MARK: Foreign keys

    private static func foreignKeys(
        of tables: [Table],
        _ isPostgres: Bool,
        in transaction: inout Transaction
    ) throws -> [ForeignKey] {
        if isPostgres {
            let found = try transaction.run(
                """
                SELECT
                  CASE WHEN pg_catalog.pg_table_is_visible(s.oid) THEN s.relname ELSE sn.nspname || '.' || s.relname END,
                  sa.attname,
                  CASE WHEN pg_catalog.pg_table_is_visible(t.oid) THEN t.relname ELSE tn.nspname || '.' || t.relname END,
                  ta.attname
                FROM pg_catalog.pg_constraint k
                JOIN pg_catalog.pg_class s ON s.oid = k.conrelid
                JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
                JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
                JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
                JOIN pg_catalog.pg_attribute sa ON sa.attrelid = s.oid AND sa.attnum = k.conkey[1]
                JOIN pg_catalog.pg_attribute ta ON ta.attrelid = t.oid AND ta.attnum = k.confkey[1]
                WHERE k.contype = 'f' AND pg_catalog.array_length(k.conkey, 1) = 1 AND NOT s.relispartition
                ORDER BY 1, sa.attnum, 3
                """
            )
            return try found.rows.compactMap { row in
                guard let table = try row.text(0), let column = try row.text(1), let target = try row.text(2),
                    let other = try row.text(3), tables.contains(where: { $0.name == target && $0.key == other })
                else { return nil }
                return ForeignKey(table: table, column: column, target: target)
            }
        }
        var keys: [ForeignKey] = []
        for table in tables {
            let found = try transaction.run(
                """
                SELECT "table", min("from"), min("to") FROM pragma_foreign_key_list(\(table.name))
                GROUP BY id, "table" HAVING count(*) = 1 ORDER BY id
                """
            )
            for row in found.rows {
                guard let target = try row.text(0), let column = try row.text(1) else { continue }
                guard let known = tables.first(where: { $0.name.lowercased() == target.lowercased() }) else { continue }
                let other = try row.text(2) ?? known.key
                guard other == known.key, table.columns.contains(where: { $0.name == column }) else { continue }
                keys.append(ForeignKey(table: table.name, column: column, target: known.name))
            }
        }
        return keys
    }
}
