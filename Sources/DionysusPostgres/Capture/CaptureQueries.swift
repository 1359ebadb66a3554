import Dionysus

/// The questions that ``CaptureCatalogue`` asks, with `pg_catalog` alone in the search path.
enum CaptureQueries {
    /// The schemas in which names are found without their schema.
    static func visibleSchemas(in transaction: inout Transaction) throws -> Set<String> {
        let result = try transaction.run(
            "SELECT s::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) s"
        )
        return Set(try result.rows.compactMap { try $0.text(0) })
    }

    /// Those of some schemas in which everybody may create objects.
    static func openSchemas(_ schemas: Set<String>, in transaction: inout Transaction) throws -> [String] {
        let result = try transaction.run(
            """
            SELECT n.nspname::text FROM pg_namespace n
            CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) g
            WHERE g.grantee = 0 AND g.privilege_type = 'CREATE' ORDER BY 1
            """
        )
        return try result.rows.compactMap { try $0.text(0) }.filter(schemas.contains)
    }

    static func roles(in transaction: inout Transaction) throws -> CaptureCatalogue.Roles {
        let row =
            try transaction.run(
                """
                SELECT r.oid::int8, r.rolname::text, r.rolsuper, r.rolsuper OR r.rolcreaterole,
                  d.oid::int8, coalesce(d.rolcanlogin OR d.rolsuper, false), coalesce(d.rolbypassrls, false),
                  coalesce(pg_has_role(r.oid, d.oid, 'USAGE'), false)
                FROM pg_roles r LEFT JOIN pg_roles d ON d.rolname = \(CaptureRole.name)
                WHERE r.rolname = current_user
                """
            )
            .first
        return CaptureCatalogue.Roles(
            current: try row?.integer(0) ?? 0,
            currentName: try row?.text(1) ?? "",
            isSuperuser: row?[2] == .bool(true),
            mayCreateRoles: row?[3] == .bool(true),
            definer: try row?.integer(4),
            definerCanLogIn: row?[5] == .bool(true),
            definerPassesRowSecurity: row?[6] == .bool(true),
            isMember: row?[7] == .bool(true)
        )
    }

    static func place(
        of relation: Int64,
        in transaction: inout Transaction
    ) throws -> (schema: String, owner: Int64, ownerName: String, isTrusted: Bool) {
        let row =
            try transaction.run(
                """
                SELECT n.nspname::text, c.relowner::int8, r.rolname::text,
                  r.rolsuper OR r.oid = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())
                FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
                WHERE c.oid = \(raw: String(relation))
                """
            )
            .first
        return (
            try row?.text(0) ?? "", try row?.integer(1) ?? 0, try row?.text(2) ?? "", row?[3] == .bool(true)
        )
    }

    static func table(
        _ oid: Int64,
        visibleSchemas: Set<String>,
        in transaction: inout Transaction
    ) throws -> CapturedTable? {
        let results = try transaction.run([
            """
            SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relowner::int8, c.relrowsecurity
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = \(raw: String(oid))
            """,
            """
            WITH RECURSIVE base (attribute, number, type, modifier) AS (
              SELECT a.attname::text, a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
              WHERE a.attrelid = \(raw: String(oid)) AND a.attnum > 0 AND NOT a.attisdropped
              UNION ALL
              SELECT b.attribute, b.number, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.type
              WHERE t.typtype = 'd'
            )
            SELECT a.attname::text, concat('"', replace(n.nspname::text, '"', '""'), '"."', replace(t.typname::text, '"', '""'), '"'),
              CASE WHEN bn.nspname = 'pg_catalog' THEN format_type(b.type, b.modifier) END,
              CASE WHEN n.nspname = 'pg_catalog' THEN t.oid::int8 END, format_type(t.oid, NULL)
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
            JOIN base b ON b.number = a.attnum JOIN pg_type bt ON bt.oid = b.type AND bt.typtype <> 'd'
            JOIN pg_namespace bn ON bn.oid = bt.typnamespace
            WHERE a.attrelid = \(raw: String(oid)) ORDER BY a.attnum
            """,
            """
            SELECT a.attname::text FROM pg_index i
            CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE i.indrelid = \(raw: String(oid)) AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place
            """,
            """
            WITH RECURSIVE below (relation) AS (
              SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = \(raw: String(oid))
              UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.relation
            )
            SELECT c.oid::int8, n.nspname::text, c.relname::text FROM below b JOIN pg_class c ON c.oid = b.relation
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') ORDER BY 2, 3
            """,
        ])
        guard let row = results[0].first else { return nil }
        let (schema, name) = (try row.text(0) ?? "", try row.text(1) ?? "")
        return CapturedTable(
            oid: oid,
            schema: schema,
            baseName: name,
            name: "\(quotedName(schema)).\(quotedName(name))",
            kind: try row.text(2) ?? "",
            owner: try row.integer(3) ?? 0,
            hasRowSecurity: row[4] == .bool(true),
            columns: try results[1].rows
                .map { row in
                    CapturedTable.Column(
                        name: try row.text(0) ?? "",
                        type: try row.text(1) ?? "",
                        typeNumber: try row.integer(3),
                        typeName: try row.text(4) ?? "",
                        builtInType: try row.text(2)
                    )
                },
            primaryKey: try results[2].rows.compactMap { try $0.text(0) },
            children: try results[3].rows.map { try relation($0, visibleSchemas) }
        )
    }

    /// Tables that are called as ours are.
    static func ownTables(
        inSchema schema: String,
        in transaction: inout Transaction
    ) throws -> [(name: String, owner: Int64, ownerName: String)] {
        let result = try transaction.run(
            #"""
            SELECT c.relname::text, c.relowner::int8, r.rolname::text FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
            WHERE n.nspname = \#(schema) AND c.relname LIKE 'dionysus\_%' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            ORDER BY c.relname
            """#
        )
        return try result.rows.map { (try $0.text(0) ?? "", try $0.integer(1) ?? 0, try $0.text(2) ?? "") }
    }

    /// All functions that are called as ours are.
    static func functions(
        inSchema schema: String,
        in transaction: inout Transaction
    ) throws -> [CaptureCatalogue.InstalledFunction] {
        let result = try transaction.run(
            #"""
            SELECT p.oid::int8, p.proname::text, p.prosrc, array_to_string(p.proconfig, E'\n'), p.prosecdef,
              p.proowner::int8,
              EXISTS (
                SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner
              )
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = \#(schema) AND p.proname LIKE 'dionysus\_capture\_%' AND p.pronargs = 0
            ORDER BY p.proname
            """#
        )
        return try result.rows
            .map { row in
                CaptureCatalogue.InstalledFunction(
                    oid: try row.integer(0) ?? 0,
                    name: try row.text(1) ?? "",
                    body: try row.text(2) ?? "",
                    settings: (try row.text(3) ?? "").split(separator: "\n").map(String.init),
                    isDefiner: row[4] == .bool(true),
                    owner: try row.integer(5) ?? 0,
                    isOpen: row[6] == .bool(true)
                )
            }
    }

    /// All triggers that are called as ours are.
    static func triggers(
        visibleSchemas: Set<String>,
        in transaction: inout Transaction
    ) throws -> [CaptureCatalogue.InstalledTrigger] {
        let result = try transaction.run(
            #"""
            SELECT c.oid::int8, n.nspname::text, c.relname::text, t.tgname::text, t.tgfoid::int8, t.tgtype::int8,
              t.tgenabled IN ('O', 'A')
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE t.tgname LIKE 'dionysus\_capture\_%' AND NOT t.tgisinternal ORDER BY 2, 3, 4
            """#
        )
        return try result.rows
            .map { row in
                CaptureCatalogue.InstalledTrigger(
                    relation: try relation(row, visibleSchemas),
                    name: try row.text(3) ?? "",
                    function: try row.integer(4) ?? 0,
                    type: try row.integer(5) ?? 0,
                    isEnabled: row[6] == .bool(true)
                )
            }
    }

    /// Number, schema and name of a relation, in the first columns.
    private static func relation(_ row: Row, _ visible: Set<String>) throws -> CapturedTable.Relation {
        let (schema, name) = (try row.text(1) ?? "", try row.text(2) ?? "")
        return CapturedTable.Relation(
            oid: try row.integer(0) ?? 0,
            name: "\(quotedName(schema)).\(quotedName(name))",
            displayName: visible.contains(schema) ? name : "\(schema).\(name)"
        )
    }
}
