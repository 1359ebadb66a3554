import Dionysus

/// What expressions read is found out with temporary views, whose dependencies the catalogue has; they are rolled back.
///
/// The record's row comes from a view of its own, so that reads of it differ from those of other rows of its table.
extension Session: ExpressionDescribing {
    func describe(expression: String, of table: String, as row: String) throws -> ExpressionDescription {
        _ = try run(["SAVEPOINT dionysus_expression"])
        let result = Result { try describeView(of: expression, table, row) }
        _ = try run(["ROLLBACK TO SAVEPOINT dionysus_expression", "RELEASE SAVEPOINT dionysus_expression"])
        return try result.get()
    }

    private func describeView(of expression: String, _ table: String, _ row: String) throws -> ExpressionDescription {
        let name = "\"" + row.replacing("\"", with: "\"\"") + "\""
        _ = try run([
            "CREATE TEMPORARY VIEW dionysus_row AS SELECT * FROM \(identifier: table)",
            """
            CREATE TEMPORARY VIEW dionysus_expression AS
            SELECT (\(raw: expression)
            ) AS dionysus_value FROM pg_temp.dionysus_row AS \(raw: name)
            """,
        ])
        let results = try run([Self.valueTypes, Self.viewReads, Self.viewFunctions, Self.viewDefinitions])
        guard results[0].count == 1 else {
            throw DionysusError(.statement, "the expression has \(results[0].count) values and not one")
        }
        var description = ExpressionDescription(
            type: Self.type(name: try results[0].first?.text(0) ?? "", category: try results[0].first?.text(1) ?? "")
        )
        var columns: [String: Set<String>] = [:]
        for read in results[1].rows {
            let name = try read.text(0) ?? ""
            let column = try read.text(3)
            switch try read.text(1) ?? "" {
            case _ where read[2] == .bool(true): description.ownColumns += [column].compactMap(\.self)
            case "r", "p": columns[name, default: []].formUnion([column].compactMap(\.self))
            case "v": break
            case let kind: description.opaque.append("the \(Self.kinds[kind] ?? "relation") \(name)")
            }
        }
        description.ownColumns = Set(description.ownColumns).sorted()
        description.reads = columns.sorted { $0.key < $1.key }.map { .init(table: $0.key, columns: $0.value.sorted()) }
        for function in results[2].rows {
            let name = try function.text(0) ?? ""
            if function[1] == .bool(true) {
                description.unpredictable.append(name)
            } else {
                description.opaque.append("the function \(name)")
            }
        }
        var normalized = ""
        for view in results[3].rows {
            let definition = try view.text(0) ?? ""
            if view[1] == .bool(true) {
                normalized = definition.lowercased()
            } else {
                description.definitions[try view.text(2) ?? ""] = definition
            }
        }
        // PostgreSQL replaces these when it reads the expression, and not when it evaluates it.
        description.unpredictable += ["now", "today", "tomorrow", "yesterday"].map { "'\($0)'" }
            .filter { expression.lowercased().contains($0) && !normalized.contains($0) }
        description.opaque = Set(description.opaque).sorted()
        description.unpredictable = Set(description.unpredictable).sorted()
        return description
    }

    private static let kinds = ["m": "materialized view", "f": "foreign table", "S": "sequence"]

    private static let valueTypes: SQL = """
        SELECT t.typname, t.typcategory FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = 'pg_temp.dionysus_expression'::pg_catalog.regclass AND a.attnum > 0
        """

    /// A whole row is a dependency on the table alone, or on none of its columns besides those that are named too.
    private static let views = """
        WITH RECURSIVE rules AS (
          SELECT r.oid, r.ev_class, r.ev_action::pg_catalog.text AS action,
            r.ev_class = 'pg_temp.dionysus_row'::pg_catalog.regclass AS is_row
          FROM pg_catalog.pg_rewrite r WHERE r.ev_type = '1'
        ), viewed AS (
          SELECT 'pg_temp.dionysus_expression'::pg_catalog.regclass::pg_catalog.oid AS relation
          UNION
          SELECT d.refobjid FROM viewed
          JOIN rules r ON r.ev_class = viewed.relation AND NOT r.is_row
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        ), read AS (
          SELECT d.refobjid AS relation, d.refobjsubid AS number, r.action ~ ':varattno 0 ' AS is_whole
          FROM viewed JOIN rules r ON r.ev_class = viewed.relation AND NOT r.is_row
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
        ), used AS (
          SELECT DISTINCT (f.match)[2]::pg_catalog.oid AS function
          FROM viewed JOIN rules r ON r.ev_class = viewed.relation AND NOT r.is_row
          CROSS JOIN LATERAL pg_catalog.regexp_matches(
            r.action, ':(funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g'
          ) f(match)
        )

        """

    private static let viewReads: SQL = """
        \(raw: views)SELECT DISTINCT \(raw: relationName), c.relkind::pg_catalog.text,
          c.oid = 'pg_temp.dionysus_row'::pg_catalog.regclass, a.attname
        FROM read JOIN pg_catalog.pg_class c ON c.oid = read.relation
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND (a.attnum = read.number OR read.is_whole)
        """

    /// What is volatile, and what depends on the time, the session or other tables although it is stable; a function that is
    /// not built in is taken at its word only if it is immutable.
    private static let viewFunctions: SQL = """
        \(raw: views)SELECT p.proname::pg_catalog.text, p.provolatile = 'v' OR n.nspname = 'pg_catalog'
        FROM used JOIN pg_catalog.pg_proc p ON p.oid = used.function
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.provolatile = 'v' OR p.provolatile = 's' AND (
          n.nspname <> 'pg_catalog' OR p.proname = 'age' AND p.pronargs = 1
          OR p.proname ~ '^(now|(transaction|statement)_timestamp|current_.*|txid_.*|pg_.*|has_.*|inet_.*|row_security_active|.*_to_xml.*)$'
        )
        UNION SELECT 'current_timestamp, current_user or one of their kind', true
        FROM viewed JOIN rules r ON r.ev_class = viewed.relation WHERE r.action ~ '[{]SQLVALUEFUNCTION '
        """

    private static let viewDefinitions: SQL = """
        \(raw: views)SELECT pg_catalog.pg_get_viewdef(viewed.relation),
          viewed.relation = 'pg_temp.dionysus_expression'::pg_catalog.regclass, c.relname::pg_catalog.text
        FROM viewed JOIN pg_catalog.pg_class c ON c.oid = viewed.relation
        WHERE c.relkind = 'v' AND c.oid <> 'pg_temp.dionysus_row'::pg_catalog.regclass
        """

    private static let relationName = """
        CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname::pg_catalog.text
          ELSE n.nspname::pg_catalog.text || '.' || c.relname::pg_catalog.text END
        """

    func foreignKeys() throws -> [ForeignKey] {
        let name = { (alias: String) in
            """
            CASE WHEN pg_catalog.pg_table_is_visible(\(alias).oid) THEN \(alias).relname::pg_catalog.text
              ELSE \(alias).relnamespace::pg_catalog.regnamespace::pg_catalog.text || '.' || \(alias).relname::pg_catalog.text END
            """
        }
        let rows = try run([
            """
            SELECT \(raw: name("c")), a.attname::pg_catalog.text, \(raw: name("o")), b.attname::pg_catalog.text
            FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
            JOIN pg_catalog.pg_class o ON o.oid = k.confrelid
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
            JOIN pg_catalog.pg_attribute b ON b.attrelid = o.oid AND b.attnum = k.confkey[1]
            WHERE k.contype = 'f' AND k.conparentid = 0 AND pg_catalog.cardinality(k.conkey) = 1 ORDER BY 1, 2, 3, 4
            """
        ])[0]
        return try rows.rows.map { try ForeignKey(row: $0) }
    }

    func describedName(ofTable table: String) throws -> String? {
        let name = dialect.quoted(table)
        return try run([
            """
            SELECT \(raw: Self.relationName) FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = pg_catalog.to_regclass(\(name))::pg_catalog.oid
            """
        ])[0]
        .first?
        .text(0)
    }
}

extension ForeignKey {
    fileprivate init(row: Row) throws {
        self.init(
            table: try row.text(0) ?? "",
            column: try row.text(1) ?? "",
            otherTable: try row.text(2) ?? "",
            otherColumn: try row.text(3) ?? ""
        )
    }
}
