import Dionysus

/// The role that owns the trigger functions.
///
/// It can't log in, may insert into the outbox and read what paths need, and nothing else. What a function could be made to
/// do, it does with those rights.
///
/// A role that may create roles makes it; a database administrator can make it beforehand:
///
///     CREATE ROLE dionysus_capture NOLOGIN;
///     GRANT dionysus_capture TO the_role_that_migrates;
///
/// Otherwise the functions belong to the role that migrates.
struct CaptureRole {
    static let name = "dionysus_capture"

    let catalogue: CaptureCatalogue
    let outbox: CaptureOutbox

    private var roles: CaptureCatalogue.Roles { catalogue.roles }

    /// Whether the functions can belong to the role.
    var isAvailable: Bool {
        guard !roles.definerCanLogIn else { return false }
        return roles.mayCreateRoles || roles.definer != nil && roles.isMember
    }

    /// The number of the functions' owner; nil while the role is still to be made.
    var owner: Int64? { isAvailable ? roles.definer : roles.current }

    /// What should be known of who could turn against the functions, a line each.
    func warnings(_ captures: [TableCapture]) -> [String] {
        catalogue.openSchemas.map { schema in
            "everybody may create functions and operators in schema \(schema), which relays, consumers and migrate look names "
                + "up in: REVOKE CREATE ON SCHEMA \(quotedName(schema)) FROM PUBLIC"
        } + ownerWarnings(captures)
    }

    private func ownerWarnings(_ captures: [TableCapture]) -> [String] {
        guard !isAvailable else { return [] }
        if roles.definerCanLogIn {
            return ["role \(Self.name) can log in or is a superuser, so the capture functions don't belong to it"]
        }
        let foreign = Set(captures.flatMap(\.tablesRead)).sorted()
            .filter { name in catalogue.tables[name].map { $0.owner != roles.current } ?? false }
        guard !foreign.isEmpty else { return [] }
        return [
            """
            the capture functions run with the rights of role \(roles.currentName), which doesn't own \
            \(foreign.joined(separator: ", ")): let an administrator run \
            CREATE ROLE \(Self.name) NOLOGIN; GRANT \(Self.name) TO \(quotedName(roles.currentName)), and migrate again
            """
        ]
    }

    /// The statements that make the role, and give it what functions need, as far as that isn't so already.
    func statements(_ captures: [TableCapture], in transaction: inout Transaction) throws -> [SQL] {
        guard isAvailable else { return [] }
        var statements: [SQL] = []
        if roles.definer == nil {
            // A migration of another database may make it at the same time.
            statements.append(
                """
                DO $dionysus$ BEGIN
                  CREATE ROLE dionysus_capture NOLOGIN;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END $dionysus$
                """
            )
        }
        if !roles.isSuperuser, !roles.isMember {
            statements.append(SQL(raw: "GRANT \(Self.name) TO \(quotedName(roles.currentName))"))
        }
        let tables = Set(captures.flatMap(\.tablesJoined)).sorted().compactMap { catalogue.tables[$0] }
        if roles.isSuperuser, !roles.definerPassesRowSecurity, tables.contains(where: \.hasRowSecurity) {
            statements.append(SQL(raw: "ALTER ROLE \(Self.name) BYPASSRLS"))
        }
        return statements + (try grants(captures, tables, in: &transaction))
    }

    private func grants(
        _ captures: [TableCapture],
        _ tables: [CapturedTable],
        in transaction: inout Transaction
    ) throws -> [SQL] {
        var wanted: [Grant] = [
            Grant("schema", quotedName(outbox.schema), "USAGE"),
            Grant("table", outbox.name, "INSERT"),
            Grant("table", outbox.notes, "SELECT"),
            Grant("table", outbox.wakeUps, "SELECT"),
            Grant("table", outbox.suppressions, "SELECT"),
            Grant("table", outbox.suppressions, "INSERT"),
        ]
        let sequence = try transaction
            .run(
                "SELECT pg_catalog.pg_get_serial_sequence(\(outbox.name), 'id')"
            )
            .first?
            .text(0)
        if let sequence { wanted.append(Grant("sequence", sequence, "USAGE")) }
        for table in tables {
            wanted.append(Grant("schema", quotedName(table.schema), "USAGE"))
            for column in columns(of: table, captures) { wanted.append(Grant("column", table.name, "SELECT", column)) }
        }
        guard let definer = roles.definer else { return wanted.withoutRepetitions.map(\.statement) }
        let distinct = wanted.withoutRepetitions
        let answers = try transaction.run(distinct.map { $0.question(of: definer) })
        return zip(distinct, answers).filter { $1.first?[0] != .bool(true) }.map(\.0.statement)
    }

    /// The columns of a table that paths read.
    private func columns(of table: CapturedTable, _ captures: [TableCapture]) -> [String] {
        Set(captures.flatMap { $0.columnsJoined { catalogue.tables[$0]?.oid == table.oid } })
            .filter { table.column($0) != nil }
            .sorted()
    }

    /// A right of the role.
    private struct Grant: Hashable {
        let kind: String
        let object: String
        let right: String
        let column: String?

        init(_ kind: String, _ object: String, _ right: String, _ column: String? = nil) {
            self.kind = kind
            self.object = object
            self.right = right
            self.column = column
        }

        var statement: SQL {
            let columns = column.map { " (\(quotedName($0)))" } ?? ""
            let object = kind == "column" || kind == "table" ? object : "\(kind.uppercased()) \(object)"
            return SQL(raw: "GRANT \(right)\(columns) ON \(object) TO \(CaptureRole.name)")
        }

        func question(of role: Int64) -> SQL {
            let oid = SQL(raw: "\(role)::pg_catalog.oid")
            let relation: SQL = "pg_catalog.to_regclass(\(object))::pg_catalog.oid"
            return switch kind {
            case "schema":
                "SELECT pg_catalog.has_schema_privilege(\(oid), pg_catalog.to_regnamespace(\(object))::pg_catalog.oid, \(right))"
            case "sequence": "SELECT pg_catalog.has_sequence_privilege(\(oid), \(relation), \(right))"
            case "column": "SELECT pg_catalog.has_column_privilege(\(oid), \(relation), \(column ?? ""), \(right))"
            default: "SELECT pg_catalog.has_table_privilege(\(oid), \(relation), \(right))"
            }
        }
    }

    /// The statements that give a new function to the role.
    ///
    /// A role that is no superuser can give a function only to one that may create objects in its schema.
    func handOver(_ functions: [String]) -> [SQL] {
        guard isAvailable else { return [] }
        let schema = quotedName(outbox.schema)
        let owner = functions.map { SQL(raw: "ALTER FUNCTION \(schema).\(quotedName($0))() OWNER TO \(Self.name)") }
        guard !roles.isSuperuser, !functions.isEmpty else { return owner }
        return [SQL(raw: "GRANT CREATE ON SCHEMA \(schema) TO \(Self.name)")] + owner
            + [SQL(raw: "REVOKE CREATE ON SCHEMA \(schema) FROM \(Self.name)")]
    }
}

extension TableCapture {
    /// The tables that capture reads, by the declaration's names.
    var tablesRead: [String] { [table] + tablesJoined }

    /// The tables that paths lead through.
    var tablesJoined: [String] { affected.flatMap(\.path).map(\.otherTable) }

    /// The columns that paths read of some tables.
    func columnsJoined(of isMeant: (String) -> Bool) -> [String] {
        affected.flatMap { affected in
            affected.path.enumerated()
                .flatMap { index, hop -> [String] in
                    guard isMeant(hop.otherTable) else { return [] }
                    guard index + 1 < affected.path.count else {
                        let record = affected.record
                        return hop.targetColumns + [record.primaryKey]
                            + [record.softDeleteColumn, record.updatedAfterSoftDelete?.column].compactMap(\.self)
                            + record.topics.compactMap(\.partitionKeyColumn)
                    }
                    return hop.targetColumns + affected.path[index + 1].sourceColumns
                }
        }
    }
}

extension Array where Element: Hashable {
    fileprivate var withoutRepetitions: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
