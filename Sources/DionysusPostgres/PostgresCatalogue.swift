import Dionysus

extension Session {
    func describe(table: String) throws -> TableDescription? {
        let name = dialect.quoted(table)
        let results = try run([
            """
            SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory, t.typname, NOT a.attnotnull,
              a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a',
              t.typname = 'citext' OR c.collisdeterministic IS FALSE
            FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid
            JOIN pg_type t ON t.oid = CASE WHEN d.typtype <> 'd' THEN d.oid ELSE (
              WITH RECURSIVE base(oid, kind, next) AS (
                SELECT d.oid, d.typtype, d.typbasetype
                UNION ALL SELECT b.oid, b.typtype, b.typbasetype FROM base JOIN pg_type b ON b.oid = base.next
                  WHERE base.kind = 'd'
              ) SELECT oid FROM base WHERE kind <> 'd'
            ) END
            LEFT JOIN pg_collation c ON c.oid = a.attcollation
            WHERE a.attrelid = pg_catalog.to_regclass(\(name))::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """,
            """
            SELECT i.indisprimary, pg_catalog.array_agg(a.attname::text ORDER BY k.place)
            FROM pg_index i CROSS JOIN pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE i.indrelid = pg_catalog.to_regclass(\(name))::pg_catalog.oid
              AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
              AND k.place <= i.indnkeyatts
            GROUP BY i.indexrelid, i.indisprimary ORDER BY i.indisprimary DESC, i.indexrelid
            """,
            "SELECT tgname FROM pg_trigger WHERE tgrelid = pg_catalog.to_regclass(\(name))::pg_catalog.oid AND NOT tgisinternal ORDER BY tgname",
            """
            SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname::pg_catalog.text || '.' || c.relname::pg_catalog.text END
            FROM pg_partition_tree(to_regclass(\(name))) p
            JOIN pg_class c ON c.oid = p.relid::pg_catalog.oid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE p.level > 0 ORDER BY 1
            """,
        ])
        let columns = try results[0].rows
            .map { row in
                let isGenerated = row[6] == .bool(true)
                var column = ColumnDescription(
                    name: try row.text(0) ?? "",
                    type: Self.type(name: try row.text(3) ?? "", category: try row.text(2) ?? ""),
                    declaredType: try row.text(1) ?? "",
                    isNullable: row[4] == .bool(true),
                    hasDefault: row[5] == .bool(true),
                    isGenerated: isGenerated,
                    ignoresSpelling: row[7] == .bool(true)
                )
                column.secondDigits = Self.secondDigits(of: column)
                if column.declaredType.hasSuffix("[]") {
                    column.listElements = column.declaredType.hasPrefix("bytea") ? .bytes : .others
                }
                return column
            }
        guard !columns.isEmpty else { return nil }
        let keys = results[1].rows
            .map { row -> [String] in
                guard case .array(_, let names) = row[1] else { return [] }
                return names.compactMap { if case .text(let name) = $0 { name } else { nil } }
            }
        let isPrimary = results[1].rows.map { $0[0] == .bool(true) }
        return TableDescription(
            name: table,
            columns: columns,
            primaryKey: zip(keys, isPrimary).first { $1 }?.0 ?? [],
            uniqueKeys: keys,
            triggers: try results[2].rows.compactMap { try $0.text(0) },
            partitions: try results[3].rows.compactMap { try $0.text(0) }
        )
    }

    /// What the number in `timestamp(3) with time zone` says.
    private static func secondDigits(of column: ColumnDescription) -> Int? {
        let type = column.declaredType
        guard column.type == .timestamp, let open = type.firstIndex(of: "("), let close = type.firstIndex(of: ")"),
            open < close, let digits = Int(type[type.index(after: open)..<close]), (0..<6).contains(digits)
        else { return nil }
        return digits
    }

    static func type(name: String, category: String) -> DatabaseType? {
        switch name {
        case "bool": .bool
        case "int2", "int4", "int8": .integer
        case "float4", "float8": .double
        case "numeric": .decimal
        case "timestamp", "timestamptz": .timestamp
        case "uuid": .uuid
        case "json", "jsonb": .json
        case "bytea": .bytes
        case _ where category == "S": .text
        default: nil
        }
    }
}
