import Dionysus

/// What the catalogue says about the tables that capture reads, the functions and triggers that stand, and the roles.
///
/// Names are looked up by the session's search path. Everything else is asked with `pg_catalog` alone in it: in another
/// schema, anybody who may create objects there can put functions and operators in the way of the server's own.
struct CaptureCatalogue {
    /// A function of ours.
    struct InstalledFunction {
        let oid: Int64
        let name: String
        let body: String
        let settings: [String]
        let isDefiner: Bool
        let owner: Int64
        /// Whether anybody but its owner may call it.
        let isOpen: Bool
    }

    /// A trigger that calls a function of ours.
    struct InstalledTrigger {
        let relation: CapturedTable.Relation
        let name: String
        let function: Int64
        let type: Int64
        let isEnabled: Bool
    }

    /// The roles that have to do with capture.
    struct Roles {
        /// The role that migrates.
        let current: Int64
        let currentName: String
        let isSuperuser: Bool
        let mayCreateRoles: Bool
        /// The role that owns the functions, if it exists.
        let definer: Int64?
        let definerCanLogIn: Bool
        let definerPassesRowSecurity: Bool
        /// Whether the migrating role has the definer's rights.
        let isMember: Bool
    }

    let outboxSchema: String
    let outboxOID: Int64
    let outboxOwner: Int64
    let outboxOwnerName: String
    /// Whether the outbox's owner is a superuser, or owns its database.
    let outboxOwnerIsTrusted: Bool
    let tables: [String: CapturedTable]
    let functions: [InstalledFunction]
    let triggers: [InstalledTrigger]
    /// Tables in the outbox's schema that are called as ours are, and their owners.
    let ownTables: [(name: String, owner: Int64, ownerName: String)]
    /// Names in the outbox's schema that functions of others have.
    let takenNames: Set<String>
    /// Relations of which others hold a trigger that is called as ours are.
    let takenTriggers: Set<String>
    let roles: Roles
    /// Schemas of the search path in which everybody may create objects.
    let openSchemas: [String]

    /// - Parameters:
    ///   - names: The tables that capture reads, as the declaration names them.
    ///   - transaction: A transaction that reads.
    /// - Returns: Nil if there is no outbox.
    static func read(
        _ names: [String],
        outbox: OutboxTables,
        in transaction: inout Transaction
    ) throws -> CaptureCatalogue? {
        let dialect = PostgresDialect()
        let lookups = ([outbox.path] + names)
            .map { name -> SQL in
                "SELECT pg_catalog.to_regclass(\(dialect.quoted(name)))::pg_catalog.oid::pg_catalog.int8"
            }
        let oids = try transaction.run(lookups).map { try $0.first?.integer(0) }
        guard let outbox = oids[0] else { return nil }
        let found = Dictionary(
            zip(names, oids.dropFirst()).compactMap { name, oid in oid.map { (name, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
        let visible = try CaptureQueries.visibleSchemas(in: &transaction)
        return try transaction.withServerSearchPath { transaction in
            try read(outbox: outbox, found, visible, in: &transaction)
        }
    }

    private static func read(
        outbox: Int64,
        _ names: [String: Int64],
        _ visible: Set<String>,
        in transaction: inout Transaction
    ) throws -> CaptureCatalogue {
        let roles = try CaptureQueries.roles(in: &transaction)
        let place = try CaptureQueries.place(of: outbox, in: &transaction)
        let owners = [place.owner, roles.current] + (roles.definer.map { [$0] } ?? [])
        var tables: [String: CapturedTable] = [:]
        for (name, oid) in names {
            tables[name] = try CaptureQueries.table(oid, visibleSchemas: visible, in: &transaction)
        }
        let all = try CaptureQueries.functions(inSchema: place.schema, in: &transaction)
        let functions = all.filter { owners.contains($0.owner) }
        let triggers = try CaptureQueries.triggers(visibleSchemas: visible, in: &transaction)
        let own = Set(functions.map(\.oid))
        return CaptureCatalogue(
            outboxSchema: place.schema,
            outboxOID: outbox,
            outboxOwner: place.owner,
            outboxOwnerName: place.ownerName,
            outboxOwnerIsTrusted: place.isTrusted,
            tables: tables,
            functions: functions,
            triggers: triggers.filter { own.contains($0.function) },
            ownTables: try CaptureQueries.ownTables(inSchema: place.schema, in: &transaction),
            takenNames: Set(all.filter { !owners.contains($0.owner) }.map(\.name)),
            takenTriggers: Set(
                triggers.filter { !own.contains($0.function) }.map { "\($0.relation.oid) \($0.name)" }
            ),
            roles: roles,
            openSchemas: try CaptureQueries.openSchemas(visible, in: &transaction)
        )
    }
}

extension Transaction {
    /// Runs statements that find no function, operator or table but the server's own, unless its schema is written out.
    mutating func withServerSearchPath<T>(_ body: (inout Transaction) throws -> T) throws -> T {
        let path = try run("SELECT pg_catalog.current_setting('search_path')").first?.text(0) ?? ""
        try run("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")
        // After a failure the setting ends with the transaction, or with the savepoint around it.
        let result = try body(&self)
        try run("SELECT pg_catalog.set_config('search_path', \(path), true)")
        return result
    }
}
